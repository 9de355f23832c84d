//! Where records, sealed versions and the embedded root key are kept.
//!
//! Key material is created, never replaced: the calls that make it fail where there is something already, and those
//! that change or delete name what they expect to find.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;

use sealward_core::RootKey;
use sealward_protocol::folder::FolderError;
use sealward_protocol::material::{DocumentError, Record, RootKeyDocument, SealedVersion};
use sealward_protocol::names::{RecordName, VersionName};

pub use folder::FolderStore;

mod folder;

/// Which content of an object was seen: differs whenever the content does. For the store that gave it only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(Vec<u8>);

impl Revision {
    /// From whatever identifies the content in a store.
    pub fn new(identity: impl Into<Vec<u8>>) -> Self {
        Self(identity.into())
    }
}

/// A record as it is stored.
#[derive(Debug)]
pub struct HeldRecord {
    /// The record, or why it cannot be believed.
    pub document: Result<Record, DocumentError>,
    /// What was read.
    pub revision: Revision,
}

/// A sealed version as it is stored.
#[derive(Debug)]
pub struct HeldVersion {
    /// What it is stored as.
    pub name: VersionName,
    /// The sealed version, or why there is none in it.
    pub document: Result<SealedVersion, DocumentError>,
    /// What was read.
    pub revision: Revision,
}

/// All that is stored of one CMK.
#[derive(Debug, Default)]
pub struct Holding {
    /// Its record.
    pub record: Option<HeldRecord>,
    /// Its sealed versions, by name.
    pub versions: Vec<HeldVersion>,
}

/// All that is stored of all CMKs.
#[derive(Debug, Default)]
pub struct Inventory {
    /// By the name of the record, whether there is one or not.
    pub holdings: BTreeMap<RecordName, Holding>,
    /// What is among them and has no name of ours, with the reason in words.
    pub strays: Vec<String>,
}

/// Storage of key material. A call that returned without an error has stored durably what it was given.
///
/// Reads are consistent: they show every write that has returned.
pub trait Store: Send + Sync {
    /// The root key; `None` if there is none.
    fn root_key(&self) -> impl Future<Output = Result<Option<RootKey>, StoreError>> + Send;

    /// Stores the root key unless there is one.
    fn create_root_key(
        &self,
        document: &RootKeyDocument,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Everything.
    fn inventory(&self) -> impl Future<Output = Result<Inventory, StoreError>> + Send;

    /// What is stored of one CMK.
    fn holding(
        &self,
        name: &RecordName,
    ) -> impl Future<Output = Result<Holding, StoreError>> + Send;

    /// Stores a record unless there is one of that name.
    fn create_record(
        &self,
        name: &RecordName,
        record: &Record,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Replaces a record, if it is still what was seen.
    fn replace_record(
        &self,
        name: &RecordName,
        record: &Record,
        seen: &Revision,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stores a sealed version unless there is one of that name.
    fn create_version(
        &self,
        name: &VersionName,
        sealed: &SealedVersion,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes a sealed version, if it is still what was seen.
    fn delete_version(
        &self,
        name: &VersionName,
        seen: &Revision,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Why something could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is one of that name: somebody else was first. What is there was left alone.
    #[error("{object} exists already")]
    Exists {
        /// What was to be created.
        object: String,
    },
    /// It is not what it was when it was read. It was left alone.
    #[error("{object} has changed since it was read")]
    Changed {
        /// What was to be replaced or deleted.
        object: String,
    },
    /// The data folder as such cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The disk is full, or a quota is.
    #[error(
        "cannot write {path}: the disk is full; nothing was changed, make room and run it again"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file system is read-only.
    #[error(
        "cannot write {path}: it is on a read-only file system; mount it writable, or name another data folder"
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// This user may not.
    #[error("cannot use {path}: permission denied; run as the user who owns the data folder")]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Anything else that the system refuses.
    #[error("cannot use {path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Somebody else is writing, and does not finish.
    #[error(
        "{path} has been locked for {seconds} s by another sealward that is writing; run it again when that has ended"
    )]
    Locked {
        /// The lock.
        path: PathBuf,
        /// For how long we waited.
        seconds: u64,
    },
}

impl StoreError {
    /// Whether to read again and plan anew: somebody else wrote between our reading and our writing.
    pub fn is_race(&self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Changed { .. })
    }

    /// Sorts a system's refusal by what the user can do about it.
    fn from_io(path: impl Into<PathBuf>, error: io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, error },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, error },
            io::ErrorKind::PermissionDenied => Self::Denied { path, error },
            _ => Self::Io { path, error },
        }
    }
}
