//! The program itself, on a data folder: how it starts, what it costs, how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "common/folder.rs"]
mod folder;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use folder::Folder;
use serde_json::{Value, json};

/// A running program; killed with the test.
struct Program {
    child: Child,
    folder: Folder,
    token_file: PathBuf,
    api: SocketAddr,
    admin: SocketAddr,
    /// From its start until its token could be read.
    took: Duration,
}

fn command(folder: &Folder, token_file: &PathBuf, ports: [u16; 2]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealward-sidecar"));
    command
        .arg("--local-store")
        .arg(folder.dir.path())
        .args(["--port", &ports[0].to_string()])
        .args(["--admin-address", &format!("127.0.0.1:{}", ports[1])])
        .arg("--token-file")
        .arg(token_file)
        .args([
            "--namespace",
            "shop",
            "--pod-name",
            "web-0",
            "--token-file-mode",
            "0440",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    fn start() -> Self {
        let mut folder = Folder::new();
        folder.add(&"shop/web".parse().unwrap());
        let token_file = folder.dir.path().join("token");
        let begun = Instant::now();
        let mut child = command(&folder, &token_file, [0, 0]).spawn().unwrap();
        // Its first log line says where it listens.
        let mut line = String::new();
        let mut stderr = BufReader::new(child.stderr.as_mut().unwrap());
        let serving: Value = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["message"] == "serving" {
                break value;
            }
        };
        let took = begun.elapsed();
        let address = |text: &Value| {
            let text = text.as_str().unwrap();
            let start = text.find("127.").unwrap();
            let rest = &text[start..];
            let end = rest.find([',', ']', ')']).unwrap_or(rest.len());
            rest[..end].parse().unwrap()
        };
        let (api, admin) = (address(&serving["api"]), address(&serving["admin"]));
        Self {
            child,
            folder,
            token_file,
            api,
            admin,
            took,
        }
    }

    fn token(&self) -> String {
        fs::read_to_string(&self.token_file).unwrap()
    }

    fn call(&self, operation: &str, body: &Value) -> Value {
        let answer = self.try_call(operation, body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// The whole answer; empty where the connection was closed before there was one.
    fn try_call(&self, operation: &str, body: &Value) -> String {
        let mut stream = TcpStream::connect(self.api).unwrap();
        let headers = [("x-auth-token", &*self.token()), ("connection", "close")];
        let body = body.to_string();
        let _ = stream.write_all(&common::request(operation, &headers, body.as_bytes()));
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// `VmHWM`: the most memory it ever had, in KiB.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// SIGTERM; returns whether it ended well, and its standard output and error.
    fn stop(mut self) -> (bool, String, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let (mut out, mut log) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (self.child.wait().unwrap().success(), out, log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serves_a_data_folder_and_stops_cleanly() {
    let program = Program::start();
    assert!(program.took < Duration::from_secs(2), "{:?}", program.took);
    let mode = fs::metadata(&program.token_file)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o440);
    let sealed = program.call(
        "encrypt-data",
        &json!({"key_id": "alias/web", "plain_text": "hunter2"}),
    );
    let opened = program.call(
        "decrypt-data",
        &json!({"cipher_text": sealed["cipher_text"]}),
    );
    assert_eq!(opened["plain_text"], "hunter2");

    let token = program.token();
    let (well, out, log) = program.stop();
    assert!(well, "{log}");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "audit lines are flushed: {out}");
    assert_eq!(lines[1]["operation"], "decrypt-data");
    for secret in [&token, "hunter2"] {
        assert!(!out.contains(secret) && !log.contains(secret));
    }
}

#[test]
fn other_processes_cannot_read_its_memory() {
    let program = Program::start();
    // A process that is not dumpable belongs to root, whoever runs it.
    let metrics = {
        let mut stream = TcpStream::connect(program.admin).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for line in [
        "sealward_process_not_dumpable 1",
        "sealward_process_core_disabled 1",
        "sealward_memory_locked ",
        "sealward_build{program=\"sealward-sidecar\"",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.child.id())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let values: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"]);
}

#[test]
fn two_thousand_connections_take_little_memory() {
    let program = Program::start();
    let before = program.peak();
    let mut open = Vec::new();
    for _ in 0..2000 {
        let mut stream = TcpStream::connect(program.api).unwrap();
        // Each asks for something; those beyond the cap may be closed already.
        let _ = stream.write_all(b"POST /v1.0/p/kms/gen-random HTTP/1.1\r\nhost: local");
        open.push(stream);
    }
    drop(open);
    // It is told about each of those that were closed.
    let deadline = Instant::now() + Duration::from_secs(20);
    let body = json!({"random_data_length": "8"});
    while !program
        .try_call("gen-random", &body)
        .starts_with("HTTP/1.1 200")
    {
        assert!(Instant::now() < deadline, "still refuses");
        std::thread::sleep(Duration::from_millis(50));
    }
    let after = program.peak();
    // The limit is 8 MiB for a release build; a debug build is larger before it begins.
    assert!(after - before < 5 * 1024, "{before} KiB, then {after} KiB");
    if !cfg!(debug_assertions) {
        assert!(after <= 8 * 1024, "{after} KiB");
    }
}

#[test]
fn a_port_in_use_is_named_and_the_token_is_left_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = Folder::new();
    let token_file = folder.dir.path().join("token");
    fs::write(&token_file, "of the process that has the port").unwrap();
    for ports in [[port, 0], [0, port]] {
        let output = command(&folder, &token_file, ports).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(error.contains("another process"), "{error}");
        assert_eq!(
            fs::read(&token_file).unwrap(),
            b"of the process that has the port"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_served_is_named() {
    let folder = Folder::new();
    let token_file = folder.dir.path().join("token");
    fs::remove_file(folder.layout.root_key()).unwrap();
    let output = command(&folder, &token_file, [0, 0]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        error.contains("root-key.json") && error.contains("backup"),
        "{error}"
    );
}

#[test]
fn a_token_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    let token_file = folder.dir.path().join("none/token");
    let output = command(&folder, &token_file, [0, 0]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(error.contains("none/token"), "{error}");
}

#[test]
fn a_key_made_meanwhile_is_served() {
    let mut program = Program::start();
    program.folder.add(&"shop/later".parse().unwrap());
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let listed = program.call("list-keys", &json!({}));
        if listed["total"] == 2 {
            break;
        }
        assert!(Instant::now() < deadline, "{listed}");
        std::thread::sleep(Duration::from_millis(100));
    }
    program.call(
        "encrypt-data",
        &json!({"key_id": "alias/later", "plain_text": "x"}),
    );
}
