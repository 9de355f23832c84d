//! `sealward completions` and `sealward man`.

use std::io;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

use crate::args;
use crate::error::Error;
use crate::output::Output;

/// The man pages cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write man pages into {}; give an existing folder", path.display())]
pub struct ManError {
    /// The folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Prints the completion script of a shell.
///
/// # Errors
/// Standard output cannot be written.
pub fn completions(shell: Shell, output: Output) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(None), "sealward", &mut script);
    output.bytes(&script)?;
    Ok(())
}

/// Writes a page for each command: `sealward.1`, `sealward-file-encrypt.1` and so on.
///
/// # Errors
/// The folder does not exist or cannot be written.
pub fn man(folder: &Path) -> Result<(), Error> {
    clap_mangen::generate_to(args::command(None), folder).map_err(|source| {
        Error::Man(ManError {
            path: folder.to_owned(),
            source,
        })
    })
}
