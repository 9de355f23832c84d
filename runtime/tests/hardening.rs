//! Hardening changes the whole process, so it has a test binary of its own.

use rustix::process::{DumpableBehavior, Resource};
use sealward_runtime::hardening::{self, MemoryLock};

#[test]
fn the_process_is_not_dumpable_and_locks_its_memory_where_it_may() {
    let report = hardening::apply();

    report.not_dumpable.as_ref().unwrap();
    assert_eq!(
        rustix::process::dumpable_behavior().unwrap(),
        DumpableBehavior::NotDumpable
    );
    report.no_core.as_ref().unwrap();
    let core = rustix::process::getrlimit(Resource::Core);
    assert_eq!((core.current, core.maximum), (Some(0), Some(0)));

    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let locked = status
        .lines()
        .find(|line| line.starts_with("VmLck:"))
        .unwrap();
    let locked = locked.split_whitespace().nth(1).unwrap() != "0";
    assert_eq!(
        locked,
        matches!(report.memory, MemoryLock::Locked),
        "{}",
        report.memory
    );

    let mut registry = prometheus_client::registry::Registry::default();
    report.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("sealward_process_not_dumpable 1"), "{text}");
    assert!(
        text.contains(&format!("sealward_memory_locked {}", i32::from(locked))),
        "{text}"
    );
}
