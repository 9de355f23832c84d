//! Death by SIGKILL, at moments that nobody chose: between any two system calls, not only between writes.

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread;

use super::*;

/// Tells the child its folder and the name of its CMK.
const FOLDER: &str = "SEALWARD_TEST_KILL_FOLDER";
const NAME: &str = "SEALWARD_TEST_KILL_NAME";

const ROUNDS: u64 = 24;

/// Rotates a CMK as fast as it can, and prints a ciphertext under each version that was reported ready.
#[test]
#[ignore = "the child of the test below, which kills it"]
fn child() {
    let (Ok(path), Ok(name)) = (env::var(FOLDER), env::var(NAME)) else {
        return;
    };
    let mut folder = Folder::at(Path::new(&path));
    let mut stdout = std::io::stdout();
    for request in 1..90 {
        let at = (START + SignedDuration::from_secs(request)).to_string();
        folder.manifests = vec![annotated(&name, "", &at)];
        let reports = folder.local().pass().unwrap();
        assert!(reports.iter().all(|report| report.ready), "{reports:?}");
        let snapshot = folder.snapshot();
        let set = snapshot
            .keys
            .iter()
            .find(|set| set.record.name == name)
            .unwrap();
        let none = EncryptionContext::none();
        let sealed = sealward_core::seal(
            &set.primary().unwrap().key,
            Purpose::Data,
            &none,
            b"plaintext",
            &mut SysRng,
        );
        let mut line = "sealed ".to_owned();
        for byte in sealed.unwrap() {
            write!(line, "{byte:02x}").unwrap();
        }
        writeln!(stdout, "{line}").unwrap();
    }
}

#[test]
fn killed_at_any_moment_it_loses_nothing() {
    let mut folder = Folder::new();
    let mut deaths = 0;
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([
                "--exact",
                "local::tests::kill::child",
                "--ignored",
                "--nocapture",
            ])
            .env(FOLDER, folder.layout.path())
            .env(NAME, format!("web-{round}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .filter_map(|line| line.split_once("sealed ").and_then(|(_, hex)| unhex(hex)))
                .collect::<Vec<_>>()
        });
        // A start takes about 5 ms and a rotation about 2: every part of either gets its turn.
        thread::sleep(Duration::from_micros(4_000 + 1_700 * round));
        child.kill().unwrap();
        deaths += usize::from(!child.wait().unwrap().success());
        folder.sealed.extend(reader.join().unwrap());
        folder.check();
    }
    assert!(deaths > 0, "no child was killed before its end");
    // Whatever it was in the middle of, the next one finishes.
    let reports = folder.pass();
    assert!(reports.iter().all(|report| report.ready), "{reports:?}");
    let snapshot = folder.snapshot();
    assert!(snapshot.keys.iter().all(|set| set.uncounted.is_empty()));
    assert!(!folder.sealed.is_empty());
}

/// A line that death cut short gives nothing.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.filter(|bytes| bytes.len() == sealward_core::CIPHERTEXT_OVERHEAD + b"plaintext".len())
}
