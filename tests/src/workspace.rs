//! Where things are in the source tree, and the programs built from it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};

/// The root of the source tree.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// The path of `program`, a binary of the workspace member `package`.
///
/// Built first, in the profile of the running test, so that what is tested is always the source as
/// it is now.
///
/// # Errors
/// The program does not build.
pub fn program(package: &str, program: &str) -> Result<PathBuf> {
    // One at a time: cargo prints "Blocking waiting for file lock" otherwise.
    static BUILD: Mutex<()> = Mutex::new(());
    let _building = BUILD.lock();

    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "--package", package]);
    cargo.args(["--bin", program]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo
        .stdin(Stdio::null())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "{program} does not build");

    // This is TARGET/PROFILE/deps/NAME or, for a program of this crate, TARGET/PROFILE/NAME.
    let this = std::env::current_exe().context("where this program is")?;
    this.ancestors()
        .skip(1)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .with_context(|| {
            format!(
                "{program} is not in the target folder of {}",
                this.display()
            )
        })
}

/// What the script `tools/NAME` prints on its standard output, without the last newline.
///
/// # Errors
/// The script fails; it says on standard error why.
pub fn tool(name: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(root().join("tools").join(name))
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start tools/{name}"))?;
    ensure!(
        output.status.success(),
        "tools/{name} {} failed",
        arguments.join(" ")
    );
    let stdout = String::from_utf8(output.stdout).context("output is not UTF-8")?;
    Ok(stdout.trim_end().to_owned())
}
