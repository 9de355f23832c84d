//! The input of a file command.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{FileError, is_standard};
use crate::output::stdin;

/// An open input.
#[derive(Debug)]
pub(crate) struct Source {
    /// Read unbuffered.
    pub(crate) file: File,
    /// How many bytes it has, where that is known.
    pub(crate) length: Option<u64>,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let opened = if is_standard(path) {
            stdin()
        } else {
            File::open(path)
        };
        opened
            .and_then(|file| {
                let metadata = file.metadata()?;
                if metadata.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                let length = metadata.is_file().then_some(metadata.len());
                Ok(Self { file, length })
            })
            .map_err(|source| FileError::Input {
                path: path.to_owned(),
                source,
            })
    }
}
