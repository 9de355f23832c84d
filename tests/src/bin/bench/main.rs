//! Measures the figures that Sealward promises, and prints a table of them.
//!
//! Ratios are measured in one run with both sides taking turns, and printed with their spread: machines differ, and
//! one machine differs from minute to minute. A figure that is missed is printed as missed; the exit status tells
//! only whether everything could be measured.

mod bare;
mod closed;
mod connection;
mod copier;
mod daemon;
mod endpoint;
mod files;
mod latency;
mod machine;
mod memory;
mod paced;
mod request;
mod sealing;
mod startup;
mod stats;
mod table;
mod testbed;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use files::Direction;
use table::Table;
use testbed::Testbed;

/// Measures the figures that Sealward promises, and prints a table of them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Shorter and fewer rounds, smaller files: to see that it works, not to quote
    #[arg(long)]
    quick: bool,
    /// Only these figures; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Figure>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Requests per second with the token in a header.
    Requests,
    /// Requests per second with requests signed as the SDKs do.
    Signed,
    /// Latency at half the highest rate.
    Latency,
    /// Peak memory of the sidecar.
    Memory,
    /// From exec of the sidecar to its first answer.
    Startup,
    /// `sealward file encrypt`.
    FileEncrypt,
    /// `sealward file decrypt`.
    FileDecrypt,
    /// Sealing in memory.
    Sealing,
}

/// What this program is when it runs itself.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Role {
    /// The server that ours is compared with
    #[command(hide = true)]
    Serve { answer: PathBuf },
    /// The copier that ours is compared with
    #[command(hide = true)]
    Copy { input: PathBuf, output: PathBuf },
    /// Seals in memory
    #[command(hide = true)]
    Seal { seconds: u64 },
    /// Becomes another program on one CPU
    #[command(hide = true)]
    Pinned {
        cpu: usize,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

/// How long and how often things are measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Seconds of load in one round.
    round: f64,
    /// Rounds of load for each side.
    rounds: usize,
    /// Starts of the sidecar.
    starts: usize,
    /// Runs of each file command.
    runs: usize,
    /// Size of the file in MiB.
    file_mib: usize,
}

impl Effort {
    const FULL: Self = Self {
        // Short and many: the speed of a virtual machine changes within seconds, and both sides must meet it alike.
        round: 1.0,
        rounds: 25,
        starts: 100,
        runs: 9,
        file_mib: 1024,
    };
    const QUICK: Self = Self {
        round: 0.5,
        rounds: 5,
        starts: 10,
        runs: 3,
        file_mib: 128,
    };
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Serve { answer }) => bare::serve(&answer),
        Some(Role::Copy { input, output }) => copier::copy(&input, &output),
        Some(Role::Seal { seconds }) => sealing::seal(seconds),
        Some(Role::Pinned { cpu, command }) => daemon::become_pinned(cpu, &command),
        None => measure(arguments.quick, &arguments.only),
    }
}

fn measure(quick: bool, only: &[Figure]) -> Result<()> {
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let wanted = |figure| only.is_empty() || only.contains(&figure);
    let mut table = Table::default();
    if let Some(warning) = machine::warn_if_busy()? {
        table.note(warning);
    }
    if wanted(Figure::Sealing) {
        sealing::measure(effort, &mut table)?;
    }
    if only.iter().any(|figure| *figure != Figure::Sealing) || only.is_empty() {
        let bed = Testbed::start()?;
        let token = wanted(Figure::Requests) || wanted(Figure::Latency);
        let highest = if token {
            let shown = wanted(Figure::Requests).then_some(&mut table);
            endpoint::measure_token(&bed, effort, shown)?
        } else {
            0.0
        };
        if wanted(Figure::Signed) {
            endpoint::measure_signed(&bed, effort, &mut table)?;
        }
        if wanted(Figure::Latency) {
            latency::measure(&bed, effort, highest / 2.0, &mut table)?;
        }
        if wanted(Figure::Memory) {
            memory::measure(&bed, effort, &mut table)?;
        }
        if wanted(Figure::Startup) {
            startup::measure(&bed, effort, &mut table)?;
        }
        if wanted(Figure::FileEncrypt) {
            files::measure(&bed, effort, Direction::Encrypt, &mut table)?;
        }
        if wanted(Figure::FileDecrypt) {
            files::measure(&bed, effort, Direction::Decrypt, &mut table)?;
        }
    }
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "\n{}\n{table}", machine::describe(quick))?;
    stdout.flush()?;
    Ok(())
}

/// Says on standard error what goes on: standard output is for the table.
fn say(what: std::fmt::Arguments<'_>) {
    // Nothing is lost but a word on the progress.
    drop(writeln!(std::io::stderr(), "bench: {what}"));
}
