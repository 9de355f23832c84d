//! What people type: `sealward dev` serves customer master keys without a cluster, and the other commands encrypt and
//! decrypt with what serves them, there or in a pod.
//!
//! Every command is a function from its arguments to `Result<(), Error>`. Results go to standard output, everything else to
//! standard error, and an [`error::Error`] becomes one line and an [`exit::Exit`].
//!
//! - Small data: [`data`]. Files of any size: [`mod@file`]. Both talk to the endpoint by [`api`] over [`client`].
//! - Local mode: [`dev`], and [`lifecycle`] for deletion.

pub mod api;
pub mod args;
pub mod client;
pub mod context;
pub mod data;
pub mod dev;
pub mod endpoint;
pub mod error;
pub mod exit;
pub mod file;
pub mod input;
pub mod keys;
pub mod lifecycle;
pub mod output;
mod report;
pub mod shell;
mod signals;

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;
use std::sync::LazyLock;

use args::{Cli, Command, FileCommand, Format};
use error::Error;
use exit::Exit;
use output::{Output, chain};
use sealward_runtime::hardening;

/// Enough for reading files, which is all that other threads of the runtime do; of a locked process every page of it counts.
const THREAD_STACK: usize = 512 * 1024;

/// What this build is, for `--version`: version, commit where the build was told it, system, and whether it is a slow debug build.
pub fn version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let commit =
            option_env!("SEALWARD_COMMIT").map_or_else(String::new, |commit| format!("{commit}, "));
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        format!(
            "{} ({commit}{OS} {ARCH}, {profile})",
            env!("CARGO_PKG_VERSION")
        )
    });
    &TEXT
}

/// Runs a command line, the program's name first, and says how it ended.
pub fn run(arguments: Vec<OsString>) -> Exit {
    let wants_json = wants_json(&arguments);
    let cli = match args::parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let output = Output::new(cli.format);
    match execute(cli, output) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let exit = error.exit();
            // Whoever read our output has seen enough; there is nobody to tell.
            if exit != Exit::OutputClosed {
                output.error(&chain(&error), Some(exit));
            }
            exit
        }
    }
}

fn execute(cli: Cli, output: Output) -> Result<(), Error> {
    // Before any key or plaintext is there. What the kernel does not grant is no reason to fail.
    let hardening = hardening::apply();
    match cli.command {
        Command::Completions { shell } => shell::completions(shell, output),
        Command::Man { dir } => shell::man(&dir),
        Command::Delete(arguments) => lifecycle::delete(&arguments, output),
        Command::Restore(arguments) => lifecycle::restore(&arguments, output),
        Command::Dev(arguments) => block_on(dev::dev(arguments, hardening, output)),
        Command::Keys(arguments) => block_on(keys::keys(arguments, output)),
        Command::Encrypt(arguments) => block_on(data::encrypt(arguments, output)),
        Command::Decrypt(arguments) => block_on(data::decrypt(arguments, output)),
        Command::File(FileCommand::Encrypt(arguments)) => {
            block_on(file::encrypt(arguments, output))
        }
        Command::File(FileCommand::Decrypt(arguments)) => {
            block_on(file::decrypt(arguments, output))
        }
    }
}

fn block_on(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK)
        .build()?
        .block_on(command)
}

/// clap's answer to a command line that is not one: help and version as they are, everything else as one line.
fn usage(error: &clap::Error, json: bool) -> Exit {
    let output = Output::new(if json { Format::Json } else { Format::Text });
    let text = error.render().to_string();
    if !error.use_stderr() {
        return match output.bytes(text.as_bytes()) {
            Ok(()) => Exit::Done,
            Err(error) => Exit::of_io(&error.0),
        };
    }
    let before_usage = text.split("\nUsage:").next().unwrap_or(&text);
    let words: Vec<&str> = before_usage
        .trim_start_matches("error:")
        .split("For more information")
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let line = format!("{}; see --help", words.join(" "));
    output.error(&line, Some(Exit::Usage));
    Exit::Usage
}

/// Whether the command line asks for JSON, told without parsing it: for the case that it cannot be parsed.
fn wants_json(arguments: &[OsString]) -> bool {
    let joined = arguments.iter().any(|argument| {
        argument == "-ojson" || argument == "-o=json" || argument == "--output=json"
    });
    let apart = arguments
        .windows(2)
        .any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json");
    joined || apart
}
