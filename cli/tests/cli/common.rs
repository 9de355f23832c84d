//! A real `sealward dev` on a free port, in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take before a test gives up. Far above what is needed, so that a busy machine fails nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Two keys that work and one that is disabled.
pub(crate) const KEYS: &str = "\
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: web-tls
spec: {}
---
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: orders
  namespace: shop
spec: {}
---
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: asleep
spec:
  enabled: false
";

/// One key.
pub(crate) const ONE_KEY: &str = "\
apiVersion: sealward.dev/v1alpha1
kind: CustomerMasterKey
metadata:
  name: web-tls
spec: {}
";

/// The program under test, in this folder, without anything of the tester's environment that it listens to.
pub(crate) fn sealward_in(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealward"));
    command
        .current_dir(folder)
        .env_remove("SEALWARD_ENDPOINT")
        .env_remove("SEALWARD_TOKEN_FILE");
    command
}

/// A running child that is stopped when the test ends, however it ends.
pub(crate) struct Running {
    child: Child,
    lines: Option<Receiver<String>>,
    errors: Option<Receiver<String>>,
}

impl Running {
    /// Starts it; lines of its standard output can be waited for if that was piped.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = child.stdout.take().map(collect_lines);
        let errors = child.stderr.take().map(collect_lines);
        Self {
            child,
            lines,
            errors,
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; returns the exit status and what came on standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        let errors = self.errors.take().into_iter().flatten();
        let text = errors.map(|line| line + "\n").collect();
        (self.child.wait().unwrap().code(), text)
    }

    /// The next line of standard output.
    pub(crate) fn line(&self) -> String {
        self.lines.as_ref().unwrap().recv_timeout(PATIENCE).unwrap()
    }

    /// The next line of standard error.
    pub(crate) fn error_line(&self) -> String {
        let errors = self.errors.as_ref().unwrap();
        errors.recv_timeout(PATIENCE).unwrap()
    }

    /// Its standard input, to be closed by dropping it.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect_lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// `sealward dev` with `keys.yaml` and the data folder `sealward-data`, in a folder of its own.
pub(crate) struct Dev {
    // Stopped before its folder goes away.
    running: Option<Running>,
    /// What it said when it was ready.
    pub(crate) ready: Value,
    folder: tempfile::TempDir,
}

impl Dev {
    /// Starts it and waits until it says that it answers.
    pub(crate) fn start(manifest: &str) -> Self {
        Self::start_with(manifest, Stdio::inherit())
    }

    /// As [`start`](Self::start), with a standard error whose lines can be waited for.
    pub(crate) fn start_with_errors(manifest: &str) -> Self {
        Self::start_with(manifest, Stdio::piped())
    }

    fn start_with(manifest: &str, errors: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keys.yaml"), manifest).unwrap();
        let (running, ready) = launch(folder.path(), errors);
        Self {
            running: Some(running),
            ready,
            folder,
        }
    }

    /// Stops it and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let (running, ready) = launch(self.folder.path(), Stdio::inherit());
        self.running = Some(running);
        self.ready = ready;
    }

    /// Stops it as a service manager would, and checks that it ended well.
    pub(crate) fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.signal(Signal::TERM);
        assert_eq!(running.end().0, Some(0));
    }

    /// Takes the process out, to wait for its end.
    pub(crate) fn take(&mut self) -> Running {
        self.running.take().unwrap()
    }

    /// The next line of standard error.
    pub(crate) fn error(&self) -> Value {
        let line = self.running().error_line();
        serde_json::from_str(&line).expect(&line)
    }

    /// The process.
    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the folder it runs in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A field of what it said when it was ready.
    pub(crate) fn said(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    /// The program, told where this endpoint is.
    pub(crate) fn sealward(&self, arguments: &[&str]) -> Command {
        let mut command = sealward_in(self.folder());
        command
            .env("SEALWARD_ENDPOINT", self.said("endpoint"))
            .args(arguments);
        command
    }

    /// Runs it with this on its standard input.
    pub(crate) fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        run(&mut self.sealward(arguments), input)
    }

    /// Runs it and expects success; gives its standard output.
    pub(crate) fn ok(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.run(arguments, input);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            stderr(&output)
        );
        output.stdout
    }

    /// Runs it and expects this status; gives its one line on standard error.
    pub(crate) fn fails(&self, status: i32, arguments: &[&str], input: &[u8]) -> String {
        let output = self.run(arguments, input);
        let line = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {line}");
        assert!(is_one_line(&line), "{arguments:?}: {line:?}");
        line
    }

    /// Replaces the YAML and waits for the line that says what came of it.
    pub(crate) fn apply(&self, manifest: &str) -> Value {
        fs::write(self.path("keys.yaml"), manifest).unwrap();
        self.next()
    }

    /// The next line of standard output.
    pub(crate) fn next(&self) -> Value {
        let line = self.running().line();
        serde_json::from_str(&line).expect(&line)
    }

    /// Calls until the answer is as wanted: the endpoint looks at its folder once a second.
    pub(crate) fn eventually(
        &self,
        arguments: &[&str],
        input: &[u8],
        wanted: impl Fn(&Output) -> bool,
    ) -> Output {
        let started = Instant::now();
        loop {
            let output = self.run(arguments, input);
            if wanted(&output) {
                return output;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{arguments:?}: {}",
                stderr(&output)
            );
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn launch(folder: &Path, errors: Stdio) -> (Running, Value) {
    let mut command = sealward_in(folder);
    command
        .args([
            "-o",
            "json",
            "dev",
            "keys.yaml",
            "--port",
            "0",
            "--admin-port",
            "0",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors);
    let running = Running::start(&mut command);
    let line = running.line();
    let ready = serde_json::from_str(&line).expect(&line);
    (running, ready)
}

/// Runs a command with this on its standard input.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A program that refuses its arguments does not read its input.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// What came on standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The manner of every error: one line, and who says it.
pub(crate) fn is_one_line(text: &str) -> bool {
    text.starts_with("sealward: ") && text.ends_with('\n') && text.lines().count() == 1
}

/// The names in a folder, hidden ones too, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
