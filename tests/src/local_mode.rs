//! A running `sealward dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, succeeds};
use crate::workspace;

/// The CMKs that it serves: `web-tls`, `orders`, `disabled`, and `leaving`, which is pending deletion.
const KEYS: &str = include_str!("../data/keys.yaml");

/// A `sealward dev` in a temporary folder, on ports chosen by the system. Dropping it stops it and
/// removes the folder.
#[derive(Debug)]
pub struct LocalMode {
    // In this order: it has stopped before its folder goes away.
    process: Process,
    program: PathBuf,
    endpoint: String,
    folder: TempDir,
}

impl LocalMode {
    /// Starts one.
    ///
    /// # Errors
    /// It does not build, does not start, or does not say where it listens.
    pub fn start() -> Result<Self> {
        let program = workspace::program("sealward", "sealward")?;
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let manifest = folder.path().join("keys.yaml");
        fs::write(&manifest, KEYS).context("cannot write keys.yaml")?;
        let mut command = Command::new(&program);
        command.args(["--output", "json", "dev"]).arg(&manifest);
        command
            .args(["--port", "0", "--admin-port", "0", "--data"])
            .arg(folder.path().join("data"));
        let mut process = Process::start(&mut command)?;
        let line = process.line()?;
        let started: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        let endpoint = started["endpoint"].as_str().context(line)?.to_owned();
        let this = Self {
            process,
            program,
            endpoint,
            folder,
        };
        succeeds(
            this.sealward()
                .args(["delete", "leaving", "--data"])
                .arg(this.data()),
        )?;
        Ok(this)
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The file with the token that callers must show.
    pub fn token_file(&self) -> PathBuf {
        self.data().join("token")
    }

    /// Its temporary folder, for files of the test too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The environment by which programs find it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("SEALWARD_ENDPOINT", self.endpoint.clone()),
            (
                "SEALWARD_TOKEN_FILE",
                self.token_file().display().to_string(),
            ),
        ]
    }

    /// A `sealward` command that talks to it.
    pub fn sealward(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.environment());
        command
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
