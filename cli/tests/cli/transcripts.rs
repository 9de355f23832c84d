//! Command lines and what they print, as in `tests/transcripts/*.txt`.
//!
//! A transcript runs in a folder of its own, where a `sealward dev` serves `keys.yaml`. A line `$ …` is run by `sh`; the lines below it
//! are its standard output, then its standard error; `? N` is its exit status where that is not 0. `[..]` stands for any text on
//! one line, and `#` at the front of a line is a comment.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Dev, KEYS};

/// A command and what is expected of it.
#[derive(Default)]
struct Step {
    command: String,
    expected: Vec<String>,
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                expected: Vec::new(),
            });
        } else if !line.is_empty() {
            let step = steps
                .last_mut()
                .expect("a transcript begins with a command");
            step.expected.push(line.to_owned());
        }
    }
    steps
}

/// What a command printed, in the form of a transcript.
fn perform(command: &str, dev: &Dev) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_sealward"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(dev.folder())
        .env("PATH", path)
        .env("LC_ALL", "C")
        .env("SEALWARD_ENDPOINT", dev.said("endpoint"))
        .env_remove("SEALWARD_TOKEN_FILE")
        .output()
        .unwrap();
    let mut lines: Vec<String> = [output.stdout, output.stderr]
        .iter()
        .flat_map(|bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|line| !line.is_empty())
        .collect();
    match output.status.code() {
        Some(0) => {}
        status => lines.push(format!("? {}", status.unwrap_or(-1))),
    }
    lines
}

/// Whether a line is as expected, where `[..]` stands for anything.
fn matches(expected: &str, line: &str) -> bool {
    let Some((before, after)) = expected.split_once("[..]") else {
        return expected == line;
    };
    line.strip_prefix(before).is_some_and(|rest| {
        rest.char_indices()
            .map(|(at, _)| at)
            .chain([rest.len()])
            .any(|at| matches(after, &rest[at..]))
    })
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let dev = Dev::start(KEYS);
    for step in parse(&fs::read_to_string(path).unwrap()) {
        let lines = perform(&step.command, &dev);
        let same = lines.len() == step.expected.len()
            && step
                .expected
                .iter()
                .zip(&lines)
                .all(|(expected, line)| matches(expected, line));
        assert!(
            same,
            "{name}: $ {}\n--- expected\n{}\n--- printed\n{}",
            step.command,
            step.expected.join("\n"),
            lines.join("\n")
        );
    }
}

#[test]
fn small_data() {
    check("small-data.txt");
}

#[test]
fn files() {
    check("files.txt");
}

#[test]
fn usage() {
    check("usage.txt");
}

#[test]
fn local_mode() {
    check("local-mode.txt");
}

#[test]
fn connection() {
    check("connection.txt");
}

#[test]
fn wildcards_match_any_text_on_a_line() {
    assert!(matches("a[..]c[..]", "abcd"));
    assert!(matches("[..]", ""));
    assert!(!matches("a[..]c", "abcd"));
    assert!(!matches("a", "ab"));
}
