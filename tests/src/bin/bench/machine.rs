//! What the figures were measured on.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What others may take of all CPUs, in percent.
const QUIET: u64 = 3;

/// A few lines about this machine, with a warning where the figures are not to be quoted.
pub(crate) fn describe(quick: bool) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let mut lines = format!("{model}, {cpus} CPUs, Linux {}\n", kernel.trim());
    for program in ["openssl version", "age --version"] {
        let _ = writeln!(lines, "{program}: {}", version(program));
    }
    if quick {
        lines += "SHORT RUN: these figures are not to be quoted\n";
    }
    lines
}

/// Looks for half a second at what the machine does while this program does nothing: a warning if that is much.
pub(crate) fn warn_if_busy() -> Result<Option<String>> {
    let before = cpu_times()?;
    thread::sleep(Duration::from_millis(500));
    let after = cpu_times()?;
    let (all, idle) = (after.0 - before.0, after.1 - before.1);
    let percent = (all - idle) * 100 / all.max(1);
    Ok((percent > QUIET).then(|| {
        format!(
            "WARNING: {percent} % of the CPU time was taken by others when this began: figures are not to be trusted"
        )
    }))
}

/// Ticks of all CPUs since boot: all, and idle.
fn cpu_times() -> Result<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let fields = line.split_ascii_whitespace().skip(1);
    let fields: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
    let [_, _, _, idle, iowait, ..] = fields[..] else {
        bail!("cannot read {line:?} in /proc/stat");
    };
    Ok((fields.iter().take(8).sum(), idle + iowait))
}

fn version(command: &str) -> String {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    match command.args(words).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "not installed".to_owned(),
    }
}
