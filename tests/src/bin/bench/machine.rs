//! What the figures were measured on.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// A few lines about this machine, with a warning where the figures are not to be quoted.
pub(crate) fn describe(quick: bool) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown CPU", |(_, model)| model);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let mut lines = format!("{model}, {cpus} CPUs, Linux {}\n", kernel.trim());
    for program in ["openssl version", "age --version"] {
        let _ = writeln!(lines, "{program}: {}", version(program));
    }
    let load = read("/proc/loadavg");
    let _ = writeln!(lines, "load average: {}", load.trim());
    if quick {
        lines += "SHORT RUN: these figures are not to be quoted\n";
    }
    lines
}

fn version(command: &str) -> String {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    match command.args(words).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "not installed".to_owned(),
    }
}
