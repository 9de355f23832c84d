//! Local mode while it runs: changes of the YAML, deletion, restarts, signals, bad folders.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Dev, KEYS, ONE_KEY, Running, is_one_line, sealward_in, stderr};

/// The one key of [`ONE_KEY`] with this in its spec.
fn with_spec(spec: &str) -> String {
    ONE_KEY.replace("spec: {}", &format!("spec: {spec}"))
}

fn refused(dev: &Dev, arguments: &[&str], input: &[u8], code: &str) {
    let output = dev.eventually(arguments, input, |output| !output.status.success());
    let line = stderr(&output);
    assert!(line.contains(code) && is_one_line(&line), "{line}");
}

fn works(dev: &Dev, arguments: &[&str], input: &[u8]) {
    dev.eventually(arguments, input, |output| output.status.success());
}

#[test]
fn says_where_it_answers_once_it_does() {
    let dev = Dev::start(KEYS);
    assert_eq!(dev.said("event"), "ready");
    assert!(dev.said("endpoint").starts_with("http://127.0.0.1:"));
    assert!(
        dev.said("warning")
            .contains("root key lies beside the data")
    );
    let names: Vec<&str> = dev.ready["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["default/asleep", "default/web-tls", "shop/orders"]);
    let token = fs::metadata(dev.said("tokenFile")).unwrap();
    assert_eq!(token.permissions().mode() & 0o777, 0o600);
    // Not "eventually": the first call after the line must do.
    let listed: Value = serde_json::from_slice(&dev.ok(&["-o", "json", "keys"], b"")).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 3);
}

#[test]
fn a_key_is_disabled_and_enabled_by_its_yaml() {
    let dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["encrypt"], b"x");
    let changed = dev.apply(&with_spec("{enabled: false}"));
    assert_eq!(changed["event"], "changed");
    assert_eq!(changed["keys"][0]["reason"], "Disabled");
    refused(&dev, &["decrypt"], &sealed, "KMS.0209");
    dev.fails(3, &["encrypt"], b"x");
    assert_eq!(dev.apply(ONE_KEY)["keys"][0]["reason"], "Ready");
    works(&dev, &["decrypt"], &sealed);
}

#[test]
fn a_rotation_is_asked_for_by_annotation_and_old_ciphertexts_still_open() {
    let dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["encrypt"], b"old");
    let annotated = ONE_KEY.replace(
        "  name: web-tls",
        "  name: web-tls\n  annotations:\n    sealward.dev/rotate-requested-at: 2026-01-01T00:00:00Z",
    );
    let changed = dev.apply(&annotated);
    assert_eq!(changed["keys"][0]["primaryVersion"], 2);
    // Once for each value.
    let again = dev.apply(&format!("{annotated}---\n"));
    assert_eq!(again["keys"], Value::Array(Vec::new()));
    dev.eventually(&["-o", "json", "keys"], b"", |output| {
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        listed["keys"][0]["primaryVersion"] == 2
    });
    let newer = dev.ok(&["encrypt"], b"new");
    assert_eq!(dev.ok(&["decrypt"], &sealed), b"old");
    assert_eq!(dev.ok(&["decrypt"], &newer), b"new");
}

#[test]
fn a_wrong_yaml_is_told_and_the_last_good_one_stays_in_force() {
    let mut dev = Dev::start_with_errors(ONE_KEY);
    for wrong in [
        with_spec("{enable: false}"),
        with_spec("{maxStaleness: 1d}"),
        ONE_KEY.replace("web-tls", &"a".repeat(64)),
        "{".to_owned(),
    ] {
        fs::write(dev.path("keys.yaml"), wrong).unwrap();
        let error = dev.error();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("keys.yaml: "), "{message}");
        assert_eq!(error["error"].get("exit"), None, "it goes on");
    }
    fs::remove_file(dev.path("keys.yaml")).unwrap();
    let message = dev.error()["error"]["message"].to_string();
    assert!(message.contains("cannot read keys.yaml"), "{message}");
    dev.ok(&["encrypt"], b"x");
    // A YAML that goes away deletes nothing, and neither does one that says nothing.
    assert_eq!(dev.apply("")["keys"], Value::Array(Vec::new()));
    dev.ok(&["encrypt"], b"x");
    assert_eq!(
        dev.apply(&with_spec("{enabled: false}"))["keys"][0]["reason"],
        "Disabled"
    );
    dev.stop();
}

#[test]
fn a_deleted_key_is_refused_and_a_restored_one_is_not() {
    let mut dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["encrypt"], b"x");
    dev.ok(&["delete", "web-tls", "--pending-days", "7"], b"");
    assert_eq!(dev.next()["keys"][0]["reason"], "PendingDeletion");
    refused(&dev, &["decrypt"], &sealed, "KMS.0210");
    // It holds whatever the YAML says, and over a restart.
    dev.restart();
    assert_eq!(dev.ready["keys"][0]["reason"], "PendingDeletion");
    dev.fails(3, &["decrypt"], &sealed);
    dev.ok(&["restore", "web-tls"], b"");
    assert_eq!(dev.next()["keys"][0]["reason"], "Ready");
    works(&dev, &["decrypt"], &sealed);
}

#[test]
fn a_restart_keeps_the_keys_and_changes_the_token() {
    let mut dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["encrypt", "--context", "a=b"], b"x");
    let id = dev.ready["keys"][0]["keyId"].clone();
    let token = fs::read(dev.said("tokenFile")).unwrap();
    dev.restart();
    assert_eq!(dev.ready["keys"][0]["keyId"], id);
    assert_ne!(fs::read(dev.said("tokenFile")).unwrap(), token);
    assert_eq!(dev.ok(&["decrypt", "--context", "a=b"], &sealed), b"x");
}

#[test]
fn sigterm_and_sigint_end_it_well() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut dev = Dev::start(ONE_KEY);
        dev.running().signal(signal);
        let (status, _) = dev.take().end();
        assert_eq!(status, Some(0), "{signal:?}");
        dev.fails(4, &["keys", "--token-file", "sealward-data/token"], b"");
    }
}

#[test]
fn each_use_is_an_audit_line_without_what_is_secret() {
    let mut dev = Dev::start(ONE_KEY);
    let sealed = dev.ok(&["encrypt", "--context", "tenant=acme"], b"the plaintext");
    dev.ok(&["decrypt", "--context", "tenant=acme"], &sealed);
    let token = fs::read_to_string(dev.said("tokenFile")).unwrap();
    dev.stop();
    let log = fs::read_to_string(dev.path("sealward-data/audit.log")).unwrap();
    let operations: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["operation"].to_string())
        .collect();
    assert!(operations.contains(&"\"encrypt-data\"".to_owned()), "{log}");
    assert!(operations.contains(&"\"decrypt-data\"".to_owned()), "{log}");
    let ciphertext = String::from_utf8(sealed).unwrap();
    for secret in ["the plaintext", "acme", token.trim(), ciphertext.trim()] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// `sealward dev` on this data folder, by this user; it is expected to fail.
fn fails_on(folder: &Path, data: &Path, user: Option<u32>) -> (Option<i32>, String) {
    let mut command = sealward_in(folder);
    command
        .args([
            "dev",
            "keys.yaml",
            "--port",
            "0",
            "--admin-port",
            "0",
            "--data",
        ])
        .arg(data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    Running::start(&mut command).end()
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.yaml"), ONE_KEY).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ours = folder.path().join("data");
    fs::create_dir(&ours).unwrap();
    // Permissions do not stop root, so it plays a user who owns nothing.
    let root = fs::metadata(&ours).unwrap().uid() == 0;
    let (data, user) = if root {
        (ours, Some(65_534))
    } else {
        ("/usr/data".into(), None)
    };
    let (status, line) = fails_on(folder.path(), &data, user);
    assert_eq!(status, Some(11), "{line}");
    assert!(is_one_line(&line), "{line}");
    assert!(!data.join("format.json").exists());
}

/// A small file system of its own, for as long as it lives. Needs root.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        // Where nothing can be mounted the test has not run, which must not go unnoticed in CI.
        assert!(
            mounted || std::env::var_os("CI").is_none(),
            "cannot mount a tmpfs"
        );
        if !mounted {
            let _ = writeln!(io::stderr(), "not run: no permission to mount a tmpfs");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_told() {
    // Enough for the folders and nothing in them.
    let Some(mount) = Mount::new("size=4k,nr_inodes=100") else {
        return;
    };
    fs::write(mount.0.path().join("full"), [0; 4096]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.yaml"), ONE_KEY).unwrap();
    let data = mount.0.path().join("data");
    let (status, line) = fails_on(folder.path(), &data, None);
    assert_eq!(status, Some(12), "{line}");
    assert!(is_one_line(&line), "{line}");
}

#[test]
fn a_disk_that_fills_up_while_a_file_is_written_leaves_no_file() {
    let Some(mount) = Mount::new("size=1m") else {
        return;
    };
    let dev = Dev::start(ONE_KEY);
    fs::write(dev.path("plain"), vec![7; 4 << 20]).unwrap();
    let out = mount.0.path().join("out");
    let line = dev.fails(
        12,
        &["file", "encrypt", "plain", out.to_str().unwrap()],
        b"",
    );
    assert!(line.contains("No space left"), "{line}");
    assert!(fs::read_dir(mount.0.path()).unwrap().next().is_none());
}

#[test]
fn a_read_only_file_system_is_told() {
    let Some(mount) = Mount::new("ro") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.yaml"), ONE_KEY).unwrap();
    let data = mount.0.path().join("data");
    let (status, line) = fails_on(folder.path(), &data, None);
    assert_eq!(status, Some(11), "{line}");
    assert!(is_one_line(&line), "{line}");
}
