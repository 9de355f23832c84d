//! Servers under load: pinned to a CPU, watched, and stopped whatever happens.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPU of the servers.
pub(crate) const SERVER_CPU: usize = 0;
/// The CPU of whatever loads them.
pub(crate) const LOAD_CPU: usize = 1;

/// Ticks of `/proc/PID/stat` in a second, a constant of the kernel's interface (`USER_HZ`).
const TICKS: u64 = 100;

/// A running server. Dropping it stops it; it also ends when this program does.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts `command` on [`SERVER_CPU`]. Gives its standard output too, unread.
    pub(crate) fn start(command: &[OsString]) -> Result<(Self, ChildStdout)> {
        let mut child = pinned(SERVER_CPU, command)?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", command[0].display()))?;
        let stdout = child.stdout.take();
        let this = Self {
            child,
            reader: None,
        };
        Ok((this, stdout.context("no pipe")?))
    }

    /// Reads the standard output of the server from now on, as whatever collects logs does.
    pub(crate) fn read_on(&mut self, mut stdout: ChildStdout) {
        self.reader = Some(thread::spawn(move || {
            let _pin = Pin::to(LOAD_CPU);
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(1..) = stdout.read(&mut buffer) {}
        }));
    }

    /// CPU time of all its threads so far, in steps of 10 ms. The kernel rounds it; it does not sample.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The second field is the name in parentheses and may hold anything; utime and stime are 14 and 15.
        let fields = stat.rsplit_once(')').context("no name in stat")?.1;
        let ticks = fields.split_ascii_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// The most memory that it has ever had resident, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        peak_memory(self.child.id())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), pid) {
            // It may have ended just now.
            let _ = kill_process(pid, Signal::TERM);
            for _ in 0..500 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

/// The most memory that process `id` has ever had resident (`VmHWM`), in bytes.
pub(crate) fn peak_memory(id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmHWM")?.trim().parse::<u64>()? * 1024)
}

/// A command that runs `command` on one CPU, and ends when this program does.
pub(crate) fn pinned(cpu: usize, command: &[OsString]) -> Result<Command> {
    let mut pinned = Command::new(std::env::current_exe().context("where this program is")?);
    pinned.arg("pinned").arg(cpu.to_string()).args(command);
    Ok(pinned)
}

/// Becomes `command` on one CPU. Returns only to say why that failed.
pub(crate) fn become_pinned(cpu: usize, command: &[OsString]) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        bail!("no command");
    };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    set_affinity(&only(cpu)).with_context(|| no_cpu(cpu))?;
    Err(Command::new(program).args(arguments).exec())
        .with_context(|| format!("cannot start {}", program.display()))
}

/// The calling thread runs on one CPU as long as this lives.
#[derive(Debug)]
pub(crate) struct Pin(CpuSet);

impl Pin {
    pub(crate) fn to(cpu: usize) -> Result<Self> {
        let before = sched_getaffinity(None)?;
        set_affinity(&only(cpu)).with_context(|| no_cpu(cpu))?;
        Ok(Self(before))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // Worked before, with the same CPUs.
        let _ = set_affinity(&self.0);
    }
}

fn only(cpu: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(cpu);
    set
}

fn set_affinity(set: &CpuSet) -> rustix::io::Result<()> {
    sched_setaffinity(None, set)
}

fn no_cpu(cpu: usize) -> String {
    format!("cannot run on CPU {cpu}: servers are measured on CPU 0 with their load on CPU 1")
}
