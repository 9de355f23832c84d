//! Disks that are full or read-only: a small memory file system, mounted in a namespace of the test's own, so that
//! they stop root as well.

use std::env;
use std::process::Command;

use super::*;

/// Tells a test that it runs in a namespace of its own, and where it may mount.
const MOUNT: &str = "SEALWARD_TEST_MOUNT";

const PAGE_OF_ZEROS: [u8; 4096] = [0; 4096];
const PAGE: u64 = PAGE_OF_ZEROS.len() as u64;

/// Runs an ignored test of this module as root of new user and mount namespaces.
fn in_namespace(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let unshare = || {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount"])
            .env(MOUNT, dir.path());
        command
    };
    let probe = unshare()
        .args(["mount", "-t", "tmpfs", "tmpfs"])
        .arg(dir.path())
        .output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(
            env::var_os("CI").is_none_or(|ci| ci != "true"),
            "CI has no user namespaces: {probe:?}"
        );
        println!("skipped: no user namespaces here: {probe:?}");
        return;
    }
    let name = format!("local::tests::disk::{test}");
    let output = unshare()
        .arg(env::current_exe().unwrap())
        .args(["--exact", &name, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

fn mount(options: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(MOUNT)?);
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(&path)
        .status();
    assert!(status.unwrap().success());
    Some(path)
}

/// Fills the disk but for some pages.
fn fill(mount: &Path, pages_left: u64) {
    let ballast = mount.join("ballast");
    let file = fs::File::create(&ballast).unwrap();
    let mut written = 0;
    while std::io::Write::write_all(&mut &file, &PAGE_OF_ZEROS).is_ok() {
        written += PAGE;
    }
    file.set_len(written.saturating_sub(pages_left * PAGE))
        .unwrap();
}

fn empty(mount: &Path) {
    fs::remove_file(mount.join("ballast")).unwrap();
}

fn is_full(message: &str) -> bool {
    message.contains("the disk is full") && message.contains("make room")
}

#[test]
fn a_full_disk_loses_nothing_and_heals() {
    in_namespace("inside_full");
}

#[test]
#[ignore = "needs a namespace of its own: the test above"]
fn inside_full() {
    let Some(mount) = mount("size=400k") else {
        return;
    };
    let mut failures = [0, 0];
    for pages_left in 0..16 {
        // Nothing there yet.
        let path = mount.join(format!("fresh-{pages_left}"));
        fill(&mount, pages_left);
        let mut fresh = Folder {
            manifests: vec![manifest("web", "")],
            ..Folder::at(&path)
        };
        let full = match fresh.local().pass() {
            Err(error) => Some(error.to_string()),
            Ok(reports) => (!reports[0].ready).then(|| reports[0].message.clone()),
        };
        assert!(full.iter().all(|message| is_full(message)), "{full:?}");
        failures[0] += usize::from(full.is_some());
        fresh.check();
        empty(&mount);
        assert!(fresh.only().ready);

        // A second CMK beside the first.
        fill(&mount, pages_left);
        fresh.manifests.push(manifest("api", ""));
        let reports = fresh.pass();
        assert!(reports[1].ready, "{reports:?}");
        if !reports[0].ready {
            failures[1] += 1;
            assert!(is_full(&reports[0].message), "{reports:?}");
        }
        empty(&mount);
        assert!(fresh.pass().iter().all(|report| report.ready));
        fs::remove_dir_all(&path).unwrap();
    }
    // It was full at several places, and there was room in the end.
    assert!(
        failures.iter().all(|failed| (2..16).contains(failed)),
        "{failures:?}"
    );
}

#[test]
fn a_read_only_folder_is_served_and_says_why_it_cannot_change() {
    in_namespace("inside_read_only");
}

#[test]
#[ignore = "needs a namespace of its own: the test above"]
fn inside_read_only() {
    let Some(mount) = mount("size=400k") else {
        return;
    };
    let mut folder = Folder {
        manifests: vec![manifest("web", "")],
        ..Folder::at(&mount.join("data"))
    };
    let before = folder.only();
    let remount = Command::new("mount")
        .args(["-o", "remount,ro"])
        .arg(&mount)
        .status();
    assert!(remount.unwrap().success());

    assert_eq!(folder.only(), before);
    folder.manifests.push(manifest("api", ""));
    let reports = folder.pass();
    assert!(
        reports[0]
            .message
            .contains("read-only file system; mount it writable"),
        "{reports:?}"
    );
    assert_eq!(reports[1], before);
    let error = folder
        .local()
        .delete(&key("web"), None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("read-only file system"), "{error}");
    let error = Folder::at(&mount.join("fresh"))
        .local()
        .pass()
        .unwrap_err()
        .to_string();
    assert!(error.contains("read-only file system"), "{error}");
}
