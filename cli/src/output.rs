//! What a command prints: results on standard output, everything else on standard error.
//!
//! Standard output is written unbuffered through a duplicate of its descriptor, so that secrets leave no copy in a buffer of
//! the standard library, and a full disk is noticed at the write it happens in.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::Format;
use crate::client::one_line;
use crate::exit::Exit;

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[source] pub io::Error);

/// Prints in the chosen format.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
}

impl Output {
    /// Output in this format.
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether results are JSON.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a result: the text as it is, or the value as one line of JSON.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn result(self, text: &str, json: &impl Serialize) -> Result<(), OutputError> {
        let mut bytes = Zeroizing::new(Vec::new());
        match self.format {
            Format::Text => bytes.extend_from_slice(text.as_bytes()),
            Format::Json => {
                serde_json::to_writer(&mut *bytes, json)
                    .map_err(|error| OutputError(error.into()))?;
                bytes.push(b'\n');
            }
        }
        self.bytes(&bytes)
    }

    /// Writes bytes to standard output, in whatever format.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), OutputError> {
        stdout()
            .and_then(|mut out| out.write_all(bytes))
            .map_err(OutputError)
    }

    /// Whether a person is looking at standard output.
    pub fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// Prints an error as one line on standard error, with the status that the process ends with if it does.
    pub fn error(self, message: &str, exit: Option<Exit>) {
        #[derive(Serialize)]
        struct Line<'a> {
            error: Body<'a>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            exit: Option<u8>,
        }
        let message = one_line(message);
        let body = Body {
            message: &message,
            exit: exit.map(Exit::status),
        };
        let line = match self.format {
            Format::Json => serde_json::to_string(&Line { error: body }).unwrap_or(message),
            Format::Text => format!("sealward: {message}"),
        };
        self.note(&line);
    }

    /// Prints a line on standard error. That it cannot be written is no reason to fail.
    pub fn note(self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

/// Standard output as a file, unbuffered.
///
/// # Errors
/// There is none, because it was closed by whoever started us.
pub fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard input as a file, unbuffered.
///
/// # Errors
/// There is none, because it was closed by whoever started us.
pub fn stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
