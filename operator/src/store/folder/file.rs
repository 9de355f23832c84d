//! Files that are there whole, durably, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file in the making.
pub(super) const NEW: &str = ".new";

/// Creates a file with this content, durably; fails where there is one.
pub(super) fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = write_new(path, content)?;
    let linked = fs::hard_link(&new, path).and_then(|()| sync_parent(path));
    // Left behind, it would be removed by the next writer.
    let _ = fs::remove_file(&new);
    linked
}

/// Gives a file new content, durably, at once.
pub(super) fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = write_new(path, content)?;
    let renamed = fs::rename(&new, path).and_then(|()| sync_parent(path));
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
    }
    renamed
}

/// Writes and syncs a file under the name [`NEW`], beside `path`.
fn write_new(path: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let new = path.with_file_name(NEW);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written.map(|()| new)
}

/// Makes a change of names in the folder of `path` last.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
