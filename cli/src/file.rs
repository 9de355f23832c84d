//! `sealward file encrypt` and `sealward file decrypt`: enveloped files of any size.

mod codec;
mod draft;
mod progress;
mod pump;
mod source;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sealward_core::envelope::{self, FileHeader};
use sealward_core::message::PREFIX;
use sealward_core::{Header, KeyId, OpenError, SealError};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::args::{FileDecryptArgs, FileEncryptArgs, PathArgs};
use crate::data::{choose_key, client};
use crate::error::Error;
use crate::input::STANDARD;
use crate::output::{Output, stdout};
use crate::signals::Signals;
use codec::{Codec, Open, Seal, Stop};
use draft::{CIPHERTEXT_MODE, Draft, PLAINTEXT_MODE};
use progress::Progress;
use source::Source;

pub use draft::DraftError;

/// How long the working threads get to erase their keys after a signal.
const GRACE: Duration = Duration::from_millis(500);

/// Why a file was not encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The input cannot be opened.
    #[error("cannot open {}", path.display())]
    Input {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The output cannot be made.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// The input cannot be read.
    #[error("cannot read {input}")]
    Read {
        /// Which input.
        input: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("cannot write {output}")]
    Write {
        /// Which output.
        output: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The beginning is not that of an enveloped file.
    #[error(
        "{input} is not an enveloped file ({why}); `sealward decrypt` opens what `sealward encrypt` printed"
    )]
    NotEnveloped {
        /// Which input.
        input: String,
        /// What is wrong with its beginning.
        why: OpenError,
    },
    /// The input ends before an enveloped file can.
    #[error(
        "{input} is damaged: its end is missing; what came out of it so far is not the whole file"
    )]
    CutShort {
        /// Which input.
        input: String,
    },
    /// Wrong context or damage: which one cannot be told.
    #[error(
        "{input} is damaged or was changed, or --context or --aad are not the ones it was encrypted with"
    )]
    NotAuthentic {
        /// Which input.
        input: String,
    },
    /// The endpoint gave a ciphertext DEK that does not fit the format.
    #[error("the endpoint's ciphertext DEK does not fit an enveloped file ({0})")]
    DataKey(OpenError),
    /// Sealing failed.
    #[error("cannot seal {input}")]
    Seal {
        /// Which input.
        input: String,
        /// Why.
        #[source]
        source: SealError,
    },
    /// A thread ended before its work did.
    #[error("the work on {input} ended before its time")]
    Ended {
        /// Which input.
        input: String,
    },
}

impl FileError {
    /// What stopped the work, told with the names of the files.
    fn new(stop: Stop, paths: &PathArgs) -> Self {
        let input = shown(&paths.input, "standard input");
        match stop {
            Stop::Read(source) => Self::Read { input, source },
            Stop::Write(source) => Self::Write {
                output: shown(&paths.output, "standard output"),
                source,
            },
            Stop::NotEnveloped(why) => Self::NotEnveloped { input, why },
            // A length that the format does not allow, behind a beginning that it does, is a cut.
            Stop::CutShort | Stop::Open(OpenError::Malformed(_)) => Self::CutShort { input },
            Stop::Open(_) => Self::NotAuthentic { input },
            Stop::Seal(source) => Self::Seal { input, source },
            Stop::Ended => Self::Ended { input },
        }
    }
}

fn shown(path: &Path, standard: &str) -> String {
    if is_standard(path) {
        standard.to_owned()
    } else {
        path.display().to_string()
    }
}

/// What is told of a file that was made, with `-o json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    input: &'a Path,
    output: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    bytes_written: u64,
}

/// Encrypts a file under a fresh DEK.
///
/// # Errors
/// Whatever [`Error`] says; the output does not exist then.
pub async fn encrypt(arguments: FileEncryptArgs, output: Output) -> Result<(), Error> {
    let context = arguments.context.parse()?;
    let paths = &arguments.paths;
    let source = open_input(paths)?;
    let client = client(&arguments.connection)?;
    let key = choose_key(&client, &arguments.key).await?;
    let made = client.create_datakey(&key, &context).await?;
    let header = FileHeader::new(&made.ciphertext).map_err(FileError::DataKey)?;
    let begun = envelope::sealer(&header, &made.dek, context.bound(), &mut getrandom::SysRng);
    let (sealer, prefix) = begun.map_err(|error| FileError::new(Stop::Seal(error), paths))?;
    // The sealer has derived what it needs.
    drop(made.dek);
    let mut front = header.to_bytes().to_vec();
    front.extend_from_slice(&prefix);
    let progress = Progress::new(source.length, output);
    let codec = Seal {
        input: source.file,
        sealer: Some(sealer),
    };
    let written = transfer(paths, CIPHERTEXT_MODE, front, codec, progress).await?;
    report(paths, Some(&made.key_id), written, output)
}

/// Decrypts an enveloped file.
///
/// # Errors
/// Whatever [`Error`] says; an output file does not exist then, and standard output has got authentic chunks only.
pub async fn decrypt(arguments: FileDecryptArgs, output: Output) -> Result<(), Error> {
    let context = arguments.context.parse()?;
    let paths = &arguments.paths;
    let mut source = open_input(paths)?;
    let front = read_front(&mut source.file);
    let (cmk, header, prefix) = front.map_err(|stop| FileError::new(stop, paths))?;
    let client = client(&arguments.connection)?;
    let dek = client
        .decrypt_datakey(cmk, header.ciphertext_dek(), &context)
        .await?;
    let begun = envelope::opener(&header, &dek, context.bound(), &prefix);
    let opener = begun.map_err(|error| FileError::new(Stop::Open(error), paths))?;
    drop(dek);
    let progress = Progress::new(source.length, output);
    let codec = Open {
        input: source.file,
        opener: Some(opener),
    };
    let written = transfer(paths, PLAINTEXT_MODE, Vec::new(), codec, progress).await?;
    report(paths, None, written, output)
}

/// Opens the input, after a look at the output: what must not be replaced is better said before a long wait or a call.
fn open_input(paths: &PathArgs) -> Result<Source, FileError> {
    if !is_standard(&paths.output) {
        draft::check(&paths.output, paths.force)?;
    }
    Source::open(&paths.input)
}

fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD)
}

/// Reads what stands before the chunks: which CMK the DEK is under, the header with the DEK, the prefix of the message.
fn read_front(input: &mut File) -> Result<(KeyId, FileHeader, [u8; PREFIX]), Stop> {
    let mut front = [0; FileHeader::LEN];
    read_exactly(input, &mut front)?;
    let header = FileHeader::parse(&front).map_err(Stop::NotEnveloped)?;
    let (dek, _) = Header::parse(header.ciphertext_dek()).map_err(Stop::NotEnveloped)?;
    let mut prefix = [0; PREFIX];
    read_exactly(input, &mut prefix)?;
    Ok((dek.key_id, header, prefix))
}

fn read_exactly(input: &mut File, bytes: &mut [u8]) -> Result<(), Stop> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Stop::CutShort,
        _ => Stop::Read(error),
    })
}

/// Runs a codec from input to output; returns how many bytes were written.
async fn transfer(
    paths: &PathArgs,
    mode: u32,
    front: Vec<u8>,
    codec: impl Codec + Send + 'static,
    progress: Progress,
) -> Result<u64, Error> {
    if is_standard(&paths.output) {
        let file = stdout().map_err(|error| FileError::new(Stop::Write(error), paths))?;
        return in_threads(paths, file, front, codec, progress).await;
    }
    let draft = Draft::create(&paths.output, mode, paths.force).map_err(FileError::Draft)?;
    let file = draft.writer().map_err(FileError::Draft)?;
    let written = in_threads(paths, file, front, codec, progress).await?;
    draft.publish().map_err(FileError::Draft)?;
    Ok(written)
}

/// Lets threads do the work and waits for them or for a signal, whichever comes first.
///
/// On a signal the caller drops its draft and the process ends, whatever the threads are waiting for.
async fn in_threads(
    paths: &PathArgs,
    mut file: File,
    front: Vec<u8>,
    mut codec: impl Codec + Send + 'static,
    progress: Progress,
) -> Result<u64, Error> {
    let mut signals = Signals::new()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (done, mut result) = oneshot::channel();
    thread::spawn(move || {
        let mut written = front.len() as u64;
        let outcome = file.write_all(&front).map_err(Stop::Write).and_then(|()| {
            pump::run(
                |buffer| codec.step(buffer),
                |buffer| {
                    let count = pump::drain(&mut file, buffer).map_err(Stop::Write)? as u64;
                    written += count;
                    progress.advance(count);
                    Ok(())
                },
                &stopped,
            )
        });
        progress.finish();
        // Erase keys and buffers before anybody is told that the work is over.
        drop(codec);
        let _ = done.send(outcome.map(|()| written));
    });
    tokio::select! {
        outcome = &mut result => {
            let outcome = outcome.unwrap_or(Err(Stop::Ended));
            Ok(outcome.map_err(|stop| FileError::new(stop, paths))?)
        }
        exit = signals.next() => {
            stop.store(true, Ordering::Relaxed);
            let _ = tokio::time::timeout(GRACE, result).await;
            Err(Error::Stopped(exit))
        }
    }
}

fn report(
    paths: &PathArgs,
    key_id: Option<&str>,
    bytes_written: u64,
    output: Output,
) -> Result<(), Error> {
    // Standard output is taken by the data, and a person needs no word about success.
    if !output.is_json() || is_standard(&paths.output) {
        return Ok(());
    }
    let report = Report {
        input: &paths.input,
        output: &paths.output,
        key_id,
        bytes_written,
    };
    output.result("", &report)?;
    Ok(())
}
