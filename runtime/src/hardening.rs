//! What a process that holds keys asks the kernel for.
//!
//! None of this stops root. It keeps key material out of core dumps, out of
//! swap, and away from other processes of the same user.

use std::fmt;
use std::io;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::thread::CapabilitySet;

/// What [`apply`] achieved.
#[derive(Debug)]
pub struct Hardening {
    /// The process leaves no core dump, and processes of the same user can
    /// neither trace it nor read its memory under `/proc`.
    pub not_dumpable: Result<(), io::Error>,
    /// The limit for core dumps is zero, hard and soft: it holds for children
    /// and across an `exec`, where the flag above does not.
    pub no_core: Result<(), io::Error>,
    /// Whether memory stays out of swap.
    pub memory: MemoryLock,
}

/// Whether the memory of the process is locked.
#[derive(Debug)]
pub enum MemoryLock {
    /// All that is there and all that will come.
    Locked,
    /// The limit on locked memory is finite and the process lacks
    /// `CAP_IPC_LOCK`. Locking regardless would make allocations fail, and with
    /// them the process, as soon as the limit is reached.
    NotAllowed {
        /// `RLIMIT_MEMLOCK` in bytes.
        limit: u64,
    },
    /// The kernel refused.
    Failed(io::Error),
}

impl fmt::Display for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("locked"),
            Self::NotAllowed { limit } => write!(
                f,
                "not locked: RLIMIT_MEMLOCK is {limit} bytes and CAP_IPC_LOCK is missing"
            ),
            Self::Failed(error) => write!(f, "not locked: {error}"),
        }
    }
}

/// Hardens the calling process. Call it before any key material is read.
///
/// Nothing here is fatal: where a cluster's policy does not let memory be
/// locked, a sidecar that would not start helps nobody. What was not achieved is
/// in the answer, for [`Hardening::register`] and [`Hardening::log`] to tell.
pub fn apply() -> Hardening {
    Hardening {
        not_dumpable: rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(io::Error::from),
        no_core: rustix::process::setrlimit(
            Resource::Core,
            Rlimit {
                current: Some(0),
                maximum: Some(0),
            },
        )
        .map_err(io::Error::from),
        memory: lock_memory(),
    }
}

fn lock_memory() -> MemoryLock {
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    match limit {
        Some(limit) if !may_lock() => MemoryLock::NotAllowed { limit },
        // ONFAULT: a page is locked when it is first touched. Without it every
        // reserved page of stacks and arenas would become resident at once.
        _ => match rustix::mm::mlockall(
            MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT,
        ) {
            Ok(()) => MemoryLock::Locked,
            Err(error) => MemoryLock::Failed(error.into()),
        },
    }
}

/// Whether the process is above the limit. In a user namespace the capability
/// may be there and not count, in which case the kernel refuses `mlockall`.
fn may_lock() -> bool {
    rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}

impl Hardening {
    /// Registers the gauges `sealward_process_not_dumpable`,
    /// `sealward_process_core_disabled` and `sealward_memory_locked`: 1 where
    /// achieved, else 0.
    pub fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, achieved: bool| {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::from(achieved));
            registry.register(name, help, gauge);
        };
        add(
            "sealward_process_not_dumpable",
            "1 if other processes of the user cannot read the memory of this one",
            self.not_dumpable.is_ok(),
        );
        add(
            "sealward_process_core_disabled",
            "1 if the limit for core dumps is zero",
            self.no_core.is_ok(),
        );
        add(
            "sealward_memory_locked",
            "1 if the memory of the process stays out of swap",
            matches!(self.memory, MemoryLock::Locked),
        );
    }

    /// Logs what was not achieved.
    pub fn log(&self) {
        if let Err(error) = &self.not_dumpable {
            tracing::warn!(%error, "the process could not be made not dumpable");
        }
        if let Err(error) = &self.no_core {
            tracing::warn!(%error, "core dumps could not be disabled");
        }
        match &self.memory {
            MemoryLock::Locked => {}
            memory => tracing::info!(%memory, "keys may be swapped out if the node has swap"),
        }
    }
}
