//! Test programs in Python, run with packages at pinned versions.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::process::text;
use crate::{LocalMode, workspace};

/// The Python interpreter with the packages of `requirements-NAME.txt`, and with nothing else of this
/// process's environment than `PATH`; its home folder does not exist.
///
/// # Errors
/// The packages cannot be installed.
pub fn interpreter(environment: &str) -> Result<Command> {
    let mut command = Command::new(workspace::tool("python-env.sh", &[environment])?);
    command
        .arg("-B") // no caches in the source tree
        .env_clear()
        .env("PATH", std::env::var_os("PATH").context("PATH is not set")?)
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null());
    Ok(command)
}

/// A command that runs `tests/python/SCRIPT` with the packages of `requirements-NAME.txt`.
///
/// # Errors
/// The packages cannot be installed.
pub fn script(environment: &str, script: &str) -> Result<Command> {
    let mut command = interpreter(environment)?;
    command.arg(workspace::root().join("tests/python").join(script));
    Ok(command)
}

/// Runs every check of a script (a `unittest` program) against `local_mode`. Returns its report, a
/// line for each check.
///
/// # Errors
/// A check fails or is skipped, or there is none.
pub fn checks(environment: &str, name: &str, local_mode: &LocalMode) -> Result<String> {
    let mut command = script(environment, name)?;
    command.arg("--verbose").envs(local_mode.environment());
    let output = command.output().context("cannot start Python")?;
    let report = text(&output);
    ensure!(output.status.success(), "{name} failed:\n{report}");
    // "test_x (module.Class.test_x) ... ok", and last "OK", or "OK (skipped=1)".
    let passed = report
        .lines()
        .filter(|line| line.ends_with("... ok"))
        .count();
    ensure!(
        passed > 0 && !report.contains("skipped"),
        "{name} skipped checks:\n{report}"
    );
    Ok(report)
}
