//! `tools/demo.sh` on a small file: it must show everything, and leave nothing, however it ends.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use sealward_tests::process::{Process, fails, succeeds, text};
use sealward_tests::workspace;
use tempfile::TempDir;

/// The demo with the programs of this build, in a temporary folder of its own.
fn demo(folder: &TempDir) -> Result<Command> {
    let programs = workspace::program("sealward", "sealward")?;
    workspace::program("example-https-certificate", "example-https-certificate")?;
    let mut command = Command::new(workspace::root().join("tools/demo.sh"));
    command
        .env("TMPDIR", folder.path())
        .env("SEALWARD_DEMO_MIB", "20")
        .env(
            "SEALWARD_DEMO_PROGRAMS",
            programs.parent().context("no folder")?,
        );
    Ok(command)
}

/// Checks that no file is left in `folder` and that no process is that was started in it.
fn assert_nothing_is_left(folder: &Path) -> Result<()> {
    let files: Vec<_> = fs::read_dir(folder)?.collect();
    assert!(files.is_empty(), "left behind: {files:?}");
    for process in fs::read_dir("/proc")? {
        // Those of other users, and those that have just ended, cannot be read.
        let working_folder = fs::read_link(process?.path().join("cwd")).unwrap_or_default();
        assert!(
            !working_folder.starts_with(folder),
            "still running in {}",
            working_folder.display()
        );
    }
    Ok(())
}

#[test]
fn demo_shows_every_step_and_leaves_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let shown = text(&succeeds(&mut demo(&folder)?)?);
    println!("{shown}");
    for expected in [
        "Hello over HTTPS",
        "KMS.0302",
        "KMS.0210",
        "The same.",
        "Done",
    ] {
        assert!(shown.contains(expected), "{expected} is missing");
    }
    assert_nothing_is_left(folder.path())
}

#[test]
fn interrupted_demo_leaves_nothing() -> Result<()> {
    for (signal, step) in [
        (Signal::INT, "4. "),
        (Signal::TERM, "6. "),
        (Signal::TERM, "9. "),
    ] {
        let folder = tempfile::tempdir()?;
        let mut demo = Process::start(&mut demo(&folder)?)?;
        while !demo.line()?.starts_with(step) {}
        demo.signal(signal)?;
        let status = demo.wait()?;
        let ended_by = status
            .code()
            .or_else(|| status.signal().map(|number| 128 + number));
        assert_eq!(
            ended_by,
            Some(128 + signal.as_raw()),
            "at step {step}: {}",
            demo.stderr()
        );
        assert_nothing_is_left(folder.path())?;
    }
    Ok(())
}

#[test]
fn demo_says_that_there_is_too_little_space() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let said = text(&fails(demo(&folder)?.env("SEALWARD_DEMO_MIB", "99999999"))?);
    assert!(said.contains("set TMPDIR to another folder"), "{said}");
    assert_nothing_is_left(folder.path())
}
