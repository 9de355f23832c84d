//! Programs that run beside a test.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to print a line or to stop. Far more than any needs: it only bounds
/// how long a broken one can hold up a run.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    stdout: Receiver<String>,
    stderr: File,
}

impl Process {
    /// Starts `command` without standard input.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let stderr = tempfile::tempfile().context("cannot make a temporary file")?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(
                stderr
                    .try_clone()
                    .context("cannot duplicate a file handle")?,
            )
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (sender, stdout) = channel();
        if let Some(pipe) = child.stdout.take() {
            // Reads to the end, also when nobody takes the lines: the program must never block.
            thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    drop(sender.send(line));
                }
            });
        }
        Ok(Self {
            child,
            name,
            stdout,
            stderr,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line of its standard output.
    ///
    /// # Errors
    /// It ended, or printed nothing for 30 seconds; the error has what it wrote to standard error.
    pub fn line(&mut self) -> Result<String> {
        self.stdout.recv_timeout(PATIENCE).or_else(|error| {
            let what = match error {
                RecvTimeoutError::Timeout => "printed nothing for 30 s",
                RecvTimeoutError::Disconnected => "ended",
            };
            bail!(
                "{} {what}; its standard error:\n{}",
                self.name,
                self.stderr()
            )
        })
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        // Not by reading on: the handle shares its position with the one the program writes to.
        let read = || {
            let length = usize::try_from(self.stderr.metadata()?.len()).unwrap_or(usize::MAX);
            let mut text = vec![0; length];
            self.stderr.read_exact_at(&mut text, 0).map(|()| text)
        };
        match read() {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("(cannot be read: {error})"),
        }
    }

    /// Sends it `signal`.
    ///
    /// # Errors
    /// It ended before.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        let ended = self.child.try_wait().context("cannot wait")?;
        ensure!(
            ended.is_none(),
            "{} had ended: {}",
            self.name,
            self.stderr()
        );
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("not a process id")?, signal).context("cannot send a signal")
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It does not within 30 seconds.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait")? {
                return Ok(status);
            }
            ensure!(started.elapsed() < PATIENCE, "{} does not end", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to stop, as a service manager does (SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// It had ended before, or does not stop within 30 seconds.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if self.stop().is_err() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Runs `command` to its end and returns what it printed.
///
/// # Errors
/// It cannot be started, or ends with another status than 0: the error has all that it printed.
pub fn succeeds(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", Shown(command)))?;
    ensure!(
        output.status.success(),
        "{}: {}\n{}",
        Shown(command),
        output.status,
        text(&output)
    );
    Ok(output)
}

/// Runs `command` to its end and returns what it printed.
///
/// # Errors
/// It cannot be started, is ended by a signal, or succeeds.
pub fn fails(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", Shown(command)))?;
    let failed = output.status.code().is_some_and(|code| code != 0);
    ensure!(
        failed,
        "{} should fail: {}\n{}",
        Shown(command),
        output.status,
        text(&output)
    );
    Ok(output)
}

/// Both outputs of a program that has ended, for people.
pub fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes))
        .concat()
}

/// A command as somebody would have typed it.
struct Shown<'a>(&'a Command);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get_program().display())?;
        self.0
            .get_args()
            .map(OsStr::display)
            .try_for_each(|argument| write!(f, " {argument}"))
    }
}
