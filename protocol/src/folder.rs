//! The data folder of local mode: where things are, and how they are read.
//!
//! | Path | Is |
//! |---|---|
//! | `format.json` | the marker: which format this is, and the id of the folder |
//! | `lock` | held (`flock`) while something is written |
//! | `root-key.json` | the root key, mode 0600 |
//! | `records/<record>.json` | one per CMK |
//! | `versions/<version>.json` | one per version of a CMK |
//! | `token` | what callers of `sealward dev` show, mode 0600 |
//!
//! A file appears under its name only when it is complete, so readers take no lock. They read records before
//! versions: a version that a record counts was there before it. Names that begin with a dot are files in the making.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sealward_core::RootKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::keyset::{Found, KeySet};
use crate::material::{DocumentError, Record, RootKeyDocument, SealedVersion};
use crate::names::{NameError, RecordName, VersionName};

/// The format that this release reads and writes.
pub const FORMAT: &str = "sealward.dev/data/v1";

/// The most that is read of one file, in bytes: a record of 100 versions and 100 rotations has about 30 KB.
const DOCUMENT_MAX: usize = 128 * 1024;

/// The name of a document, or the path of a file that is not named like one.
pub type Listed<N> = Result<N, (PathBuf, NameError)>;

/// Where everything is in a data folder.
#[derive(Clone, Debug)]
pub struct FolderLayout {
    root: PathBuf,
}

/// `format.json`: what makes a folder a data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FormatMarker {
    /// [`FORMAT`], or that of another release.
    pub format: String,
    /// Takes the place of the namespace UID: material of one folder is none in another.
    pub install_id: Uuid,
}

/// All that a data folder holds, checked.
#[derive(Debug)]
pub struct Snapshot {
    /// The marker.
    pub marker: FormatMarker,
    /// The root key.
    pub root: RootKey,
    /// CMKs with a record that can be believed, by name.
    pub keys: Vec<KeySet>,
    /// Files that are no documents of ours or belong to no record, by path within the folder.
    pub strays: Vec<(PathBuf, DocumentError)>,
}

impl FolderLayout {
    /// The data folder at this path. Touches nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The marker.
    pub fn format(&self) -> PathBuf {
        self.root.join("format.json")
    }

    /// The lock.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The root key.
    pub fn root_key(&self) -> PathBuf {
        self.root.join("root-key.json")
    }

    /// The folder of records.
    pub fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    /// The folder of sealed versions.
    pub fn versions(&self) -> PathBuf {
        self.root.join("versions")
    }

    /// The callers' token.
    pub fn token(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The file of a record.
    pub fn record(&self, name: &RecordName) -> PathBuf {
        self.records().join(format!("{name}.json"))
    }

    /// The file of a sealed version.
    pub fn version(&self, name: &VersionName) -> PathBuf {
        self.versions().join(format!("{name}.json"))
    }

    /// Reads the marker.
    pub fn read_format(&self) -> Result<FormatMarker, FolderError> {
        let path = self.format();
        let json = match read_document(&path) {
            Ok(json) => json,
            Err(DocumentError::Read(error)) if is_absent(&error) => {
                return Err(FolderError::NotADataFolder {
                    path: self.root.clone(),
                });
            }
            Err(error) => return Err(FolderError::Document { path, error }),
        };
        let marker: FormatMarker =
            serde_json::from_slice(&json).map_err(|error| FolderError::Document {
                path,
                error: DocumentError::Json(error),
            })?;
        if marker.format != FORMAT {
            return Err(FolderError::OtherFormat {
                path: self.root.clone(),
                format: marker.format,
            });
        }
        Ok(marker)
    }

    /// Reads the root key. Refuses a file that others may read or change: it is the key to everything else.
    pub fn read_root_key(&self) -> Result<RootKey, FolderError> {
        let path = self.root_key();
        let unreadable = |error| FolderError::Document {
            path: path.clone(),
            error,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Err(FolderError::NoRootKey { path }),
            Err(error) => return Err(unreadable(DocumentError::Read(error))),
        };
        let metadata = file
            .metadata()
            .map_err(|error| unreadable(DocumentError::Read(error)))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(FolderError::RootKeyExposed { path, mode });
        }
        let document = read_file(file)
            .and_then(|json| RootKeyDocument::parse(&json))
            .map_err(unreadable)?;
        Ok(document.root_key())
    }

    /// What there is in the folder of records, sorted.
    pub fn record_names(&self) -> Result<Vec<Listed<RecordName>>, FolderError> {
        list(&self.records())
    }

    /// What there is in the folder of sealed versions, sorted.
    pub fn version_names(&self) -> Result<Vec<Listed<VersionName>>, FolderError> {
        list(&self.versions())
    }

    /// Reads and checks everything. Fails only where the folder as a whole cannot be used.
    pub fn snapshot(&self) -> Result<Snapshot, FolderError> {
        let marker = self.read_format()?;
        let root = self.read_root_key()?;
        let mut strays = Vec::new();
        let mut records = Vec::new();
        for listed in self.record_names()? {
            let Some(name) = known(listed, &mut strays) else {
                continue;
            };
            let path = self.record(&name);
            match read_document(&path).and_then(|json| Record::parse(&json, &name)) {
                Ok(record) if record.namespace_uid != marker.install_id => {
                    let why = "it was made in another data folder";
                    strays.push((path, DocumentError::Unused { why }));
                }
                Ok(record) => records.push((name, record)),
                Err(error) if has_gone(&error) => {}
                Err(error) => strays.push((path, error)),
            }
        }
        let mut versions: Vec<Found> = Vec::new();
        for listed in self.version_names()? {
            let Some(name) = known(listed, &mut strays) else {
                continue;
            };
            match read_document(&self.version(&name)).and_then(|json| SealedVersion::parse(&json)) {
                Err(error) if has_gone(&error) => {}
                document => versions.push((name, document)),
            }
        }
        let mut keys = Vec::new();
        for (name, record) in records {
            let own = versions
                .extract_if(.., |(version, _)| version.record == name)
                .collect();
            keys.push(KeySet::assemble(record, &root, own));
        }
        let orphan = |(name, document): Found| {
            let why = DocumentError::Unused {
                why: "no record speaks of it",
            };
            (self.version(&name), document.err().unwrap_or(why))
        };
        strays.extend(versions.into_iter().map(orphan));
        Ok(Snapshot {
            marker,
            root,
            keys,
            strays,
        })
    }
}

fn known<N>(listed: Listed<N>, strays: &mut Vec<(PathBuf, DocumentError)>) -> Option<N> {
    listed
        .map_err(|(path, error)| strays.push((path, DocumentError::Name(error))))
        .ok()
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// There is no marker.
    #[error(
        "{path} is not a data folder of sealward: it has no format.json; name an empty folder or a new one, or put that file back if there was one"
    )]
    NotADataFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Written by another release.
    #[error(
        "data folder {path} has format `{format}`, this release reads {FORMAT}: use the release that wrote it"
    )]
    OtherFormat {
        /// The folder.
        path: PathBuf,
        /// Its format.
        format: String,
    },
    /// There is no root key.
    #[error(
        "{path} is missing: nothing in this data folder opens without it; put it back from a backup"
    )]
    NoRootKey {
        /// The file.
        path: PathBuf,
    },
    /// The root key may be read by others.
    #[error(
        "{path} has mode {mode:04o}, so that others may use the root key: chmod 600 it, and ask who has read it"
    )]
    RootKeyExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that everything depends on cannot be read or believed.
    #[error("{path} {error}")]
    Document {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// A folder in the data folder cannot be listed.
    #[error("cannot list {path}")]
    List {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// The files in a folder of documents, sorted by name.
fn list<N>(folder: &Path) -> Result<Vec<Listed<N>>, FolderError>
where
    N: FromStr<Err = NameError> + Ord,
{
    let failed = |error| FolderError::List {
        path: folder.to_owned(),
        error,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Of a folder that has only just been begun.
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry.map_err(failed)?.file_name();
        let text = file.to_string_lossy();
        if text.starts_with('.') {
            continue;
        }
        let stem = text.strip_suffix(".json").unwrap_or_default();
        names.push(
            stem.parse::<N>()
                .map_err(|error| (folder.join(&file), error)),
        );
    }
    names.sort_by(|a, b| a.as_ref().ok().cmp(&b.as_ref().ok()));
    Ok(names)
}

/// Reads one document, whole. It may be the root key: it is erased when it is dropped.
///
/// # Errors
/// [`DocumentError::Read`] and [`DocumentError::TooLarge`].
pub fn read_document(path: &Path) -> Result<Zeroizing<Vec<u8>>, DocumentError> {
    File::open(path)
        .map_err(DocumentError::Read)
        .and_then(read_file)
}

/// Reads a file, erasing the buffer afterwards: it may be the root key.
fn read_file(file: File) -> Result<Zeroizing<Vec<u8>>, DocumentError> {
    let size = file.metadata().map_err(DocumentError::Read)?.len();
    // Room for all of it from the start, and for a byte more that would show it to be too long: growing would leave
    // copies behind.
    let room = usize::try_from(size)
        .unwrap_or(usize::MAX)
        .min(DOCUMENT_MAX)
        + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(DOCUMENT_MAX as u64 + 1)
        .read_to_end(&mut content)
        .map_err(DocumentError::Read)?;
    if content.len() > DOCUMENT_MAX {
        return Err(DocumentError::TooLarge {
            limit: DOCUMENT_MAX,
        });
    }
    Ok(content)
}

/// A file that was deleted between listing and reading was never seen.
fn has_gone(error: &DocumentError) -> bool {
    matches!(error, DocumentError::Read(error) if is_absent(error))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests;
