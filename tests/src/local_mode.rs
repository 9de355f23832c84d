//! A running `sealward dev`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
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
    ready: Value,
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
        let ready = event(&mut process, "ready")?;
        let mut this = Self {
            process,
            program,
            ready,
            folder,
        };
        this.delete("leaving")?;
        Ok(this)
    }

    /// Schedules the deletion of a CMK; when this returns, it is in force.
    ///
    /// # Errors
    /// `sealward delete` fails, or nothing changes.
    pub fn delete(&mut self, name: &str) -> Result<()> {
        self.change("delete", name)
    }

    /// Brings a CMK back; when this returns, it can be used again.
    ///
    /// # Errors
    /// `sealward restore` fails, or nothing changes.
    pub fn restore(&mut self, name: &str) -> Result<()> {
        self.change("restore", name)
    }

    fn change(&mut self, command: &str, name: &str) -> Result<()> {
        succeeds(
            self.sealward()
                .args([command, name, "--data"])
                .arg(self.data()),
        )?;
        event(&mut self.process, "changed").map(drop)
    }

    /// The id of a CMK.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn key_id(&self, name: &str) -> Result<&str> {
        let full_name = format!("default/{name}");
        let mut keys = self.ready["keys"].as_array().into_iter().flatten();
        let key = keys.find(|key| key["name"] == full_name.as_str());
        key.and_then(|key| key["keyId"].as_str())
            .with_context(|| format!("no CMK {full_name}"))
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        self.ready["endpoint"].as_str().unwrap_or_default()
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
            ("SEALWARD_ENDPOINT", self.endpoint().to_owned()),
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
}

/// The next thing that it says, which must be of this kind.
fn event(process: &mut Process, kind: &str) -> Result<Value> {
    let line = process.line()?;
    let said: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
    ensure!(said["event"] == kind, "it should say \"{kind}\": {line}");
    Ok(said)
}
