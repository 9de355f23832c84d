//! One `sealward dev` for each data folder: each writes a token of its own there, and must not take away another's.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::DevError;

/// Locks the folder until what is returned is dropped, or the process ends in whatever way.
pub(crate) fn serve_alone(data: &Path) -> Result<File, DevError> {
    let path = data.join("serving");
    let system = |source| DevError::File {
        path: path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(system)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(DevError::InUse(data.to_owned())),
        Err(error) => Err(system(error.into())),
    }
}
