//! What people type: `sealward dev` serves customer master keys without a cluster, and the other commands encrypt and
//! decrypt with what serves them, there or in a pod.
//!
//! Every command is a function from its arguments to `Result<(), Error>`. Results go to standard output, everything else to
//! standard error, and an [`error::Error`] becomes one line and an [`exit::Exit`].
//!
//! - Small data: [`data`]. Files of any size: [`file`]. Both talk to the endpoint by [`api`] over [`client`].

pub mod api;
pub mod args;
pub mod client;
pub mod context;
pub mod data;
pub mod endpoint;
pub mod error;
pub mod exit;
pub mod file;
pub mod input;
pub mod keys;
pub mod output;
pub mod shell;
mod signals;

use std::ffi::OsString;

use args::{Cli, Command, FileCommand, Format};
use error::Error;
use exit::Exit;
use output::{Output, chain};

/// What this build is, for `--version`.
pub const fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"))
}

/// Runs a command line, the program's name first, and says how it ended.
pub fn run(arguments: Vec<OsString>) -> Exit {
    let wants_json = wants_json(&arguments);
    let cli = match args::parse(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let output = Output::new(cli.output);
    match execute(cli, output) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let exit = error.exit();
            // Whoever read our output has seen enough; there is nobody to tell.
            if exit != Exit::OutputClosed {
                output.error(&chain(&error), exit.status());
            }
            exit
        }
    }
}

fn execute(cli: Cli, output: Output) -> Result<(), Error> {
    match cli.command {
        Command::Completions { shell } => shell::completions(shell, output),
        Command::Man { dir } => shell::man(&dir),
        command => {
            // Everything below holds keys or plaintext. What the kernel does not grant is no reason to fail.
            let _ = sealward_runtime::hardening::apply();
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(serve(command, output))
        }
    }
}

async fn serve(command: Command, output: Output) -> Result<(), Error> {
    match command {
        Command::Keys(arguments) => keys::keys(arguments, output).await,
        Command::Encrypt(arguments) => data::encrypt(arguments, output).await,
        Command::Decrypt(arguments) => data::decrypt(arguments, output).await,
        Command::File(FileCommand::Encrypt(arguments)) => file::encrypt(arguments, output).await,
        Command::File(FileCommand::Decrypt(arguments)) => file::decrypt(arguments, output).await,
        _ => Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into()),
    }
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
    output.error(&line, Exit::Usage.status());
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
