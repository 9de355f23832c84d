//! An output file that has no name until it is complete.
//!
//! Where the file system can (`O_TMPFILE`), the file has no name at all while it is written: whatever ends the process, SIGKILL
//! and power loss included, nothing is left. Elsewhere it has a hidden name in the same folder, removed when dropped.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use rustix::io::Errno;
use tempfile::{Builder, NamedTempFile};

/// Mode of a new ciphertext file: what the user's umask leaves.
pub(crate) const CIPHERTEXT_MODE: u32 = 0o666;
/// Mode of a new plaintext file: its owner only.
pub(crate) const PLAINTEXT_MODE: u32 = 0o600;

/// Why an output file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// Something has that name.
    #[error("{} exists; choose another name, or give --force to replace it", .0.display())]
    Exists(PathBuf),
    /// `--force` replaces files, not devices, folders or links.
    #[error("{} exists and is not a regular file, so it is not replaced; use - and redirect standard output", .0.display())]
    NotAFile(PathBuf),
    /// The path names no file.
    #[error("{} is not the name of a file", .0.display())]
    NoName(PathBuf),
    /// A system call failed.
    #[error("cannot create {}", path.display())]
    Create {
        /// The output.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The complete file cannot be brought to disk or get its name.
    #[error("cannot finish {}", path.display())]
    Publish {
        /// The output.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A file in the making. Dropped without [`publish`](Self::publish), it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
    folder: PathBuf,
    force: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unnamed(File),
    Hidden(NamedTempFile),
}

/// Refuses an output that may not be made, before any work is done.
pub(crate) fn check(path: &Path, force: bool) -> Result<(), DraftError> {
    if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(DraftError::NoName(path.to_owned()));
    }
    match fs::symlink_metadata(path) {
        Ok(_) if !force => Err(DraftError::Exists(path.to_owned())),
        Ok(metadata) if !metadata.is_file() => Err(DraftError::NotAFile(path.to_owned())),
        // Not found is what we want; anything else shows again, and is told, when the file is made.
        Ok(_) | Err(_) => Ok(()),
    }
}

impl Draft {
    /// Begins a file that is to be called `path`.
    pub(crate) fn create(path: &Path, mode: u32, force: bool) -> Result<Self, DraftError> {
        check(path, force)?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let kind = begin(&folder, mode).map_err(|source| DraftError::Create {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            folder,
            force,
            kind,
        })
    }

    /// A second handle to the file, for the thread that writes.
    pub(crate) fn writer(&self) -> Result<File, DraftError> {
        let file = match &self.kind {
            Kind::Unnamed(file) => file,
            Kind::Hidden(file) => file.as_file(),
        };
        file.try_clone().map_err(|source| DraftError::Create {
            path: self.path.clone(),
            source,
        })
    }

    /// Brings the file to disk, then gives it its name, without replacing anything unless that was asked for.
    pub(crate) fn publish(self) -> Result<(), DraftError> {
        let Self {
            path,
            folder,
            force,
            kind,
        } = self;
        let published = match kind {
            Kind::Unnamed(file) => file.sync_all().and_then(|()| {
                if force {
                    replace(&file, &folder, &path)
                } else {
                    link(&file, &path)
                }
            }),
            Kind::Hidden(file) => file.as_file().sync_all().and_then(|()| {
                let done = if force {
                    file.persist(&path)
                } else {
                    file.persist_noclobber(&path)
                };
                done.map(drop).map_err(io::Error::from)
            }),
        };
        // The new name is on disk when its folder is.
        match published.and_then(|()| File::open(&folder)?.sync_all()) {
            Ok(()) => Ok(()),
            Err(error) if !force && error.kind() == io::ErrorKind::AlreadyExists => {
                Err(DraftError::Exists(path))
            }
            Err(source) => Err(DraftError::Publish { path, source }),
        }
    }
}

fn begin(folder: &Path, mode: u32) -> io::Result<Kind> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match openat(CWD, folder, flags, Mode::from_raw_mode(mode)) {
        Ok(file) => {
            let file = File::from(file);
            // It is named by way of /proc, which a container may lack.
            if fs::symlink_metadata(descriptor_path(&file)).is_ok() {
                return Ok(Kind::Unnamed(file));
            }
        }
        // What file systems, and kernels, say that cannot do it; anything else would stop the other way too.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    hidden(folder, mode).map(Kind::Hidden)
}

fn hidden(folder: &Path, mode: u32) -> io::Result<NamedTempFile> {
    Builder::new()
        .prefix(".sealward-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
}

fn descriptor_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Names an unnamed file; the kernel refuses if the name is taken.
fn link(file: &File, path: &Path) -> io::Result<()> {
    linkat(
        CWD,
        descriptor_path(file),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )
    .map_err(Errno::into)
}

/// Names an unnamed file in place of another: there is no link that replaces, so by way of a hidden name.
fn replace(file: &File, folder: &Path, path: &Path) -> io::Result<()> {
    Builder::new()
        .prefix(".sealward-")
        .make_in(folder, |candidate| link(file, candidate))?
        .into_temp_path()
        .persist(path)
        .map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A draft of each kind, one after the other: a hidden one can be seen in the folder while it lives.
    fn each_kind(path: &Path, force: bool, mut test: impl FnMut(Draft)) {
        test(Draft::create(path, 0o600, force).unwrap());
        let mut draft = Draft::create(path, 0o600, force).unwrap();
        draft.kind = Kind::Hidden(hidden(&draft.folder, 0o600).unwrap());
        test(draft);
    }

    #[test]
    fn appears_only_when_published_in_both_ways() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        each_kind(&path, false, |draft| {
            draft.writer().unwrap().write_all(b"whole").unwrap();
            assert!(!path.exists());
            draft.publish().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"whole");
            assert_eq!(names(dir.path()), ["out"]);
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
            fs::remove_file(&path).unwrap();
        });
    }

    #[test]
    fn leaves_nothing_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        each_kind(&dir.path().join("out"), false, drop);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn does_not_replace_what_came_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        each_kind(&path, false, |draft| {
            fs::write(&path, "theirs").unwrap();
            assert!(matches!(draft.publish(), Err(DraftError::Exists(_))));
            assert_eq!(fs::read(&path).unwrap(), b"theirs");
            assert_eq!(names(dir.path()), ["out"]);
            assert!(matches!(check(&path, false), Err(DraftError::Exists(_))));
            fs::remove_file(&path).unwrap();
        });
    }

    #[test]
    fn force_replaces_a_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        fs::write(&path, "old").unwrap();
        each_kind(&path, true, |draft| {
            draft.writer().unwrap().write_all(b"new").unwrap();
            draft.publish().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
            assert_eq!(names(dir.path()), ["out"]);
        });
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(matches!(
            check(&dir.path().join("folder"), true),
            Err(DraftError::NotAFile(_))
        ));
        assert!(matches!(
            check(Path::new("/dev/null"), true),
            Err(DraftError::NotAFile(_))
        ));
        assert!(matches!(
            check(&dir.path().join(".."), true),
            Err(DraftError::NoName(_))
        ));
    }
}
