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
use sealward_core::{Header, OpenError, SealError};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::args::{FileDecryptArgs, FileEncryptArgs, PathArgs};
use crate::data::{choose_key, client};
use crate::error::Error;
use crate::input::STANDARD;
use crate::output::{Output, stdout};
use crate::signals::Signals;
use codec::{Codec, Open, Seal};
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
    #[error("cannot read the input")]
    Read(#[source] io::Error),
    /// The output cannot be written.
    #[error("cannot write the output; nothing was left behind")]
    Write(#[source] io::Error),
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Pipe(#[source] io::Error),
    /// The beginning is not that of an enveloped file.
    #[error(
        "the input is not an enveloped file ({0}); `sealward decrypt` opens what `sealward encrypt` printed"
    )]
    NotEnveloped(OpenError),
    /// The input ends before an enveloped file can.
    #[error(
        "the input is damaged: its end is missing; nothing that came out of it is the whole file"
    )]
    CutShort,
    /// Wrong context or damage: which one cannot be told.
    #[error(
        "the input is damaged or was changed, or --context or --aad are not the ones it was encrypted with"
    )]
    NotAuthentic,
    /// The endpoint gave a ciphertext DEK that does not fit the format.
    #[error("the endpoint's ciphertext DEK does not fit an enveloped file ({0})")]
    DataKey(OpenError),
    /// Sealing failed.
    #[error("cannot seal the input")]
    Seal(#[from] SealError),
    /// Asked for more after the last chunk.
    #[error("the file has ended already")]
    Ended,
}

impl From<OpenError> for FileError {
    /// Errors of the chunks; those of the header are made by hand. A length that the format does not allow is a cut.
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Malformed(_) => Self::CutShort,
            _ => Self::NotAuthentic,
        }
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
    let (sealer, prefix) =
        envelope::sealer(&header, &made.dek, context.bound(), &mut getrandom::SysRng)
            .map_err(FileError::Seal)?;
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
    let mut front = [0; FileHeader::LEN];
    read_front(&mut source.file, &mut front)?;
    let header = FileHeader::parse(&front).map_err(FileError::NotEnveloped)?;
    let mut prefix = [0; PREFIX];
    read_front(&mut source.file, &mut prefix)?;
    let client = client(&arguments.connection)?;
    let (cmk, _) = Header::parse(header.ciphertext_dek()).map_err(FileError::NotEnveloped)?;
    let dek = client
        .decrypt_datakey(cmk.key_id, header.ciphertext_dek(), &context)
        .await?;
    let opener =
        envelope::opener(&header, &dek, context.bound(), &prefix).map_err(FileError::from)?;
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

fn read_front(input: &mut File, front: &mut [u8]) -> Result<(), FileError> {
    input.read_exact(front).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FileError::CutShort,
        _ => FileError::Read(error),
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
        let file = stdout().map_err(FileError::Pipe)?;
        return in_threads(file, front, codec, progress, FileError::Pipe).await;
    }
    let draft = Draft::create(&paths.output, mode, paths.force).map_err(FileError::Draft)?;
    let file = draft.writer().map_err(FileError::Draft)?;
    let written = in_threads(file, front, codec, progress, FileError::Write).await?;
    draft.publish().map_err(FileError::Draft)?;
    Ok(written)
}

/// Lets threads do the work and waits for them or for a signal, whichever comes first.
///
/// On a signal the caller drops its draft and the process ends, whatever the threads are waiting for.
async fn in_threads(
    mut file: File,
    front: Vec<u8>,
    mut codec: impl Codec + Send + 'static,
    progress: Progress,
    failed: fn(io::Error) -> FileError,
) -> Result<u64, Error> {
    let mut signals = Signals::new()?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let (done, mut result) = oneshot::channel();
    thread::spawn(move || {
        let mut written = front.len() as u64;
        let outcome = file.write_all(&front).map_err(failed).and_then(|()| {
            pump::run(
                |buffer| codec.step(buffer),
                |buffer| {
                    let count = pump::drain(&mut file, buffer).map_err(failed)? as u64;
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
        outcome = &mut result => Ok(outcome.unwrap_or(Err(FileError::Ended))?),
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
