//! A sidecar with keys, and the bare server beside it.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use sealward_tests::{Process, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::connection::Connection;
use crate::daemon::Daemon;
use crate::request::Call;

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(10);
/// The CMK that is used.
pub(crate) const KEY: &str = "alias/bench";
const MANIFEST: &str = "\
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: bench
spec: {}
";
/// The most that the API takes, in bytes.
const PLAINTEXT: usize = 4096;

/// Everything that the figures of the endpoint need. Servers stop before their folder goes away.
#[derive(Debug)]
pub(crate) struct Testbed {
    pub(crate) sidecar: Daemon,
    pub(crate) bare: Daemon,
    pub(crate) address: SocketAddr,
    pub(crate) bare_address: SocketAddr,
    admin: SocketAddr,
    token: String,
    /// The request that is measured, as JSON: `decrypt-data` of 4 KB.
    body: String,
    folder: TempDir,
}

/// A sidecar to be started, and where it will listen.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) command: Vec<OsString>,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) token_file: PathBuf,
}

impl Testbed {
    /// Makes keys with `sealward dev`, then serves them with the sidecar.
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        make_keys(folder.path())?;
        let plan = Plan::new(folder.path(), &[])?;
        let address = plan.address;
        let (sidecar, token) = plan.start()?;

        let plaintext = plaintext();
        let body = json!({ "key_id": KEY, "plain_text": plaintext }).to_string();
        let (_, encrypted) = ask(address, "encrypt-data", &body, &token)?;
        let encrypted: Value = serde_json::from_slice(&encrypted)?;
        let body = json!({ "cipher_text": encrypted["cipher_text"] }).to_string();
        let (head, answer) = ask(address, "decrypt-data", &body, &token)?;
        let decrypted: Value = serde_json::from_slice(&answer)?;
        ensure!(
            decrypted["plain_text"] == plaintext,
            "decrypt-data gave something else than was encrypted"
        );

        let recorded = folder.path().join("answer");
        fs::write(&recorded, [head, answer].concat())?;
        let this = std::env::current_exe().context("where this program is")?;
        let (bare, stdout) = Daemon::start(&[this.into(), "serve".into(), recorded.into()])?;
        let mut port = String::new();
        BufReader::new(stdout).read_line(&mut port)?;
        let port: u16 = port.trim().parse().context("the bare server's port")?;
        Ok(Self {
            sidecar,
            bare,
            address,
            bare_address: (Ipv4Addr::LOCALHOST, port).into(),
            admin: plan.admin,
            token,
            body,
            folder,
        })
    }

    /// The measured request with the token in a header, for `count` connections to `address`.
    pub(crate) fn requests(&self, address: SocketAddr, count: usize) -> Vec<Vec<u8>> {
        vec![self.request(address, &self.token); count]
    }

    /// As [`requests`](Self::requests), signed as the SDKs do.
    pub(crate) fn signed_requests(&self, address: SocketAddr, count: usize) -> Vec<Vec<u8>> {
        vec![self.call(address).signed(&self.token, Timestamp::now()); count]
    }

    /// The measured request for a sidecar with another token.
    pub(crate) fn request(&self, address: SocketAddr, token: &str) -> Vec<u8> {
        self.call(address).with_token(token)
    }

    fn call(&self, address: SocketAddr) -> Call<'_> {
        Call {
            address,
            operation: "decrypt-data",
            body: &self.body,
        }
    }

    /// How many audit lines the sidecar has dropped so far.
    pub(crate) fn dropped_audit_lines(&self) -> Result<u64> {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin);
        let (_, metrics) = Connection::open(self.admin, request.into())?.call()?;
        let metrics = String::from_utf8(metrics)?;
        let dropped = metrics
            .lines()
            .find_map(|line| line.strip_prefix("sealward_audit_dropped_total "));
        let dropped = dropped.context("no metric for dropped audit lines")?;
        dropped.parse().with_context(|| dropped.to_owned())
    }

    /// Another sidecar with the same keys.
    pub(crate) fn another(&self, flags: &[&str]) -> Result<Plan> {
        Plan::new(self.folder.path(), flags)
    }

    /// The environment by which `sealward` finds the sidecar.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 2] {
        let token_file = token_file(self.folder.path(), self.address);
        [
            (
                "SEALWARD_ENDPOINT",
                format!("http://{}", self.address).into(),
            ),
            ("SEALWARD_TOKEN_FILE", token_file.into()),
        ]
    }
}

impl Plan {
    fn new(folder: &Path, flags: &[&str]) -> Result<Self> {
        let program = workspace::program("sealward-sidecar", "sealward-sidecar")?;
        let (address, admin) = (free_address()?, free_address()?);
        let token_file = token_file(folder, address);
        let mut command: Vec<OsString> = vec![
            program.into(),
            "--local-store".into(),
            data(folder).into(),
            "--port".into(),
            address.port().to_string().into(),
            "--admin-address".into(),
            admin.to_string().into(),
            "--token-file".into(),
            token_file.clone().into(),
            "--log".into(),
            "warn".into(),
        ];
        command.extend(flags.iter().map(OsString::from));
        Ok(Self {
            command,
            address,
            admin,
            token_file,
        })
    }

    /// Starts it and waits until it can be connected to. Gives its token too.
    pub(crate) fn start(&self) -> Result<(Daemon, String)> {
        let (mut sidecar, audit) = Daemon::start(&self.command)?;
        sidecar.read_on(audit);
        let started = Instant::now();
        while let Err(error) = std::net::TcpStream::connect(self.address) {
            ensure!(
                started.elapsed() < PATIENCE,
                "the sidecar does not listen: {error}"
            );
            thread::sleep(Duration::from_millis(10));
        }
        Ok((sidecar, read_token(&self.token_file)?))
    }
}

/// The token in a file, once it is there: the sidecar writes it after it has the port.
fn read_token(path: &Path) -> Result<String> {
    let started = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Err(_) if started.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(1)),
            other => return other.context("cannot read the token file"),
        }
    }
}

/// Free now, and nobody else asks for ports on a machine that measures.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    listener.local_addr().context("no local address")
}

fn token_file(folder: &Path, address: SocketAddr) -> PathBuf {
    folder.join(format!("token.{}", address.port()))
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Lets `sealward dev` make the CMK, and stops it.
fn make_keys(folder: &Path) -> Result<()> {
    let manifest = folder.join("key.yaml");
    fs::write(&manifest, MANIFEST)?;
    let mut command = Command::new(workspace::program("sealward", "sealward")?);
    command.args(["dev", "--port", "0", "--admin-port", "0", "--data"]);
    let mut dev = Process::start(command.arg(data(folder)).arg(manifest))?;
    // It says something when the keys are there.
    dev.line()?;
    dev.stop()?;
    Ok(())
}

/// One call; gives head and body of the answer.
fn ask(
    address: SocketAddr,
    operation: &str,
    body: &str,
    token: &str,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let call = Call {
        address,
        operation,
        body,
    };
    Connection::open(address, call.with_token(token))?.call()
}

/// 4 KB as people encrypt them: lines of base64, as in a PEM file.
fn plaintext() -> String {
    let lines = (0..).map(|line| {
        format!(
            "{}{line:04}\n",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7V"
        )
    });
    let mut text: String = lines.take(PLAINTEXT / 57 + 1).collect();
    text.truncate(PLAINTEXT);
    text
}
