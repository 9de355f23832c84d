//! Small input: an argument, a file, or standard input, into a buffer that is erased.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::output::stdin;

/// The name of standard input on the command line.
pub(crate) const STANDARD: &str = "-";

/// Why small input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be read.
    #[error("cannot read {name}")]
    Read {
        /// Which file.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{name} is empty, and there is nothing to encrypt or decrypt")]
    Empty {
        /// Which input.
        name: String,
    },
    /// There is too much in it.
    #[error("{name} has more than {limit} bytes; {advice}")]
    TooLong {
        /// Which input.
        name: String,
        /// The limit in bytes.
        limit: usize,
        /// What takes more.
        advice: &'static str,
    },
    /// It is not text, and encrypt-data takes text.
    #[error(
        "{name} is not UTF-8 text; encrypt it with `sealward file encrypt`, which takes any bytes"
    )]
    NotText {
        /// Which input.
        name: String,
    },
    /// It is not what `sealward encrypt` prints.
    #[error(
        "{name} is not base64: give what `sealward encrypt` printed, or use `sealward file decrypt` for an enveloped file"
    )]
    NotBase64 {
        /// Which input.
        name: String,
    },
}

/// Where small input comes from.
#[derive(Debug)]
pub enum Input {
    /// An argument.
    Argument(Zeroizing<String>),
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// What the command line says; standard input when it says nothing.
    pub fn new(argument: Option<String>, file: Option<PathBuf>) -> Self {
        match (argument, file) {
            (Some(text), _) => Self::Argument(Zeroizing::new(text)),
            (None, Some(path)) if path != Path::new(STANDARD) => Self::File(path),
            (None, _) => Self::Stdin,
        }
    }

    /// Reads 1 to `limit` bytes.
    ///
    /// # Errors
    /// See [`InputError`]; `advice` says what takes more than the limit.
    pub fn read(
        self,
        limit: usize,
        advice: &'static str,
    ) -> Result<(String, Zeroizing<Vec<u8>>), InputError> {
        let name = match &self {
            Self::Argument(_) => "the argument".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        };
        // One byte more than the limit tells whether there is more.
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
        let read = match &self {
            Self::Argument(text) => text
                .as_bytes()
                .take(limit as u64 + 1)
                .read_to_end(&mut bytes),
            Self::File(path) => File::open(path)
                .and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes)),
            Self::Stdin => {
                stdin().and_then(|file| file.take(limit as u64 + 1).read_to_end(&mut bytes))
            }
        };
        if let Err(source) = read {
            return Err(InputError::Read { name, source });
        }
        match bytes.len() {
            0 => Err(InputError::Empty { name }),
            len if len > limit => Err(InputError::TooLong {
                name,
                limit,
                advice,
            }),
            _ => Ok((name, bytes)),
        }
    }
}
