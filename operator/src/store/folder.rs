//! The store behind local mode: a data folder, as [`sealward_protocol::folder`] describes it.
//!
//! A file is written beside its place under the name `.new`, synced, and only then given its name: by a link that
//! fails where there is a file already, or by a rename that replaces it. Then the folder is synced, and the file
//! counts. Whoever writes holds the lock, so there is one `.new` at most, and one that a crash left behind is removed
//! by the next writer - removed, never written to: it may be a second name of a file that already counts.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sealward_core::RootKey;
use sealward_protocol::folder::{FORMAT, FolderError, FolderLayout, FormatMarker, read_document};
use sealward_protocol::material::{DocumentError, Record, RootKeyDocument, SealedVersion};
use sealward_protocol::names::{NameError, RecordName, VersionName};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::file::{NEW, create_file, replace_file, sync_parent};
use super::{HeldRecord, HeldVersion, Holding, Inventory, Revision, Store, StoreError};

mod file;

/// What there may be in a folder that is made a data folder: what a first start leaves behind when it is killed, and
/// the callers' token.
const BEFORE_FORMAT: [&str; 5] = [NEW, "lock", "records", "versions", "token"];

/// How long to wait between two attempts at the lock.
const LOCK_POLL: Duration = Duration::from_millis(10);

/// A data folder that this process may write to, as long as it holds this.
#[derive(Debug)]
pub struct FolderStore {
    layout: FolderLayout,
    install_id: Uuid,
    /// Closing it lets go of the lock.
    _lock: File,
}

impl FolderStore {
    /// Locks a data folder that exists, waiting up to `patience` for another writer.
    pub fn open(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let layout = FolderLayout::new(path);
        layout.read_format()?;
        Self::lock(layout, patience)
    }

    /// Locks a data folder; makes it one if it is empty or absent, with `install_id` as its id.
    pub fn open_or_init(
        path: &Path,
        install_id: Uuid,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let layout = FolderLayout::new(path);
        if let Err(error) = layout.read_format() {
            if !matches!(error, FolderError::NotADataFolder { .. })
                || !may_become_data_folder(&layout)?
            {
                return Err(error.into());
            }
            init(&layout, install_id, patience)?;
        }
        Self::lock(layout, patience)
    }

    /// The id of the folder, which takes the place of a namespace's UID.
    pub fn install_id(&self) -> Uuid {
        self.install_id
    }

    fn lock(layout: FolderLayout, patience: Duration) -> Result<Self, StoreError> {
        let lock = take_lock(&layout, patience)?;
        let install_id = layout.read_format()?.install_id;
        Ok(Self {
            layout,
            install_id,
            _lock: lock,
        })
    }

    fn held_record(&self, name: &RecordName) -> Result<Option<HeldRecord>, StoreError> {
        let path = self.layout.record(name);
        match read_document(&path) {
            Ok(json) => Ok(Some(HeldRecord {
                document: Record::parse(&json, name),
                revision: revision(&json),
            })),
            Err(error) => unreadable(&path, error).map(|document| {
                document.map(|error| HeldRecord {
                    document: Err(error),
                    revision: too_large(),
                })
            }),
        }
    }

    fn held_version(&self, name: VersionName) -> Result<Option<HeldVersion>, StoreError> {
        let path = self.layout.version(&name);
        match read_document(&path) {
            Ok(json) => {
                let (document, revision) = (SealedVersion::parse(&json), revision(&json));
                Ok(Some(HeldVersion {
                    name,
                    document,
                    revision,
                }))
            }
            Err(error) => unreadable(&path, error).map(|document| {
                document.map(|error| HeldVersion {
                    name,
                    document: Err(error),
                    revision: too_large(),
                })
            }),
        }
    }

    /// Refuses to go on where a file is not what was seen.
    fn expect(&self, path: &Path, seen: &Revision) -> Result<(), StoreError> {
        match read_document(path) {
            Ok(json) if revision(&json) == *seen => Ok(()),
            Err(DocumentError::TooLarge { .. }) if too_large() == *seen => Ok(()),
            Err(DocumentError::Read(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::from_io(path, error))
            }
            _ => Err(StoreError::Changed {
                object: self.short(path),
            }),
        }
    }

    /// A path as it is named in messages.
    fn short(&self, path: &Path) -> String {
        path.strip_prefix(self.layout.path())
            .unwrap_or(path)
            .display()
            .to_string()
    }

    fn create(&self, path: &Path, content: &[u8]) -> Result<(), StoreError> {
        match create_file(path, content) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(StoreError::Exists {
                object: self.short(path),
            }),
            done => done.map_err(|error| StoreError::from_io(path, error)),
        }
    }
}

impl Store for FolderStore {
    async fn root_key(&self) -> Result<Option<RootKey>, StoreError> {
        match self.layout.read_root_key() {
            Ok(root) => Ok(Some(root)),
            Err(FolderError::NoRootKey { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn create_root_key(&self, document: &RootKeyDocument) -> Result<(), StoreError> {
        self.create(&self.layout.root_key(), &document.to_json())
    }

    async fn inventory(&self) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        let mut stray = |(path, error): (PathBuf, NameError)| {
            inventory
                .strays
                .push(format!("{}: {error}", self.short(&path)));
        };
        for listed in self.layout.record_names()? {
            let Some(name) = listed.map_err(&mut stray).ok() else {
                continue;
            };
            inventory.holdings.entry(name.clone()).or_default().record = self.held_record(&name)?;
        }
        for listed in self.layout.version_names()? {
            let Some(name) = listed.map_err(&mut stray).ok() else {
                continue;
            };
            let versions = &mut inventory
                .holdings
                .entry(name.record.clone())
                .or_default()
                .versions;
            versions.extend(self.held_version(name)?);
        }
        Ok(inventory)
    }

    async fn holding(&self, name: &RecordName) -> Result<Holding, StoreError> {
        let mut holding = Holding {
            record: self.held_record(name)?,
            versions: Vec::new(),
        };
        let listed = self
            .layout
            .version_names()?
            .into_iter()
            .filter_map(Result::ok);
        for version in listed.filter(|version| version.record == *name) {
            holding.versions.extend(self.held_version(version)?);
        }
        Ok(holding)
    }

    async fn create_record(&self, name: &RecordName, record: &Record) -> Result<(), StoreError> {
        self.create(&self.layout.record(name), &record.to_json())
    }

    async fn replace_record(
        &self,
        name: &RecordName,
        record: &Record,
        seen: &Revision,
    ) -> Result<(), StoreError> {
        let path = self.layout.record(name);
        self.expect(&path, seen)?;
        replace_file(&path, &record.to_json()).map_err(|error| StoreError::from_io(path, error))
    }

    async fn create_version(
        &self,
        name: &VersionName,
        sealed: &SealedVersion,
    ) -> Result<(), StoreError> {
        self.create(&self.layout.version(name), &sealed.to_json())
    }

    async fn delete_version(&self, name: &VersionName, seen: &Revision) -> Result<(), StoreError> {
        let path = self.layout.version(name);
        self.expect(&path, seen)?;
        let deleted = fs::remove_file(&path).and_then(|()| sync_parent(&path));
        deleted.map_err(|error| StoreError::from_io(path, error))
    }
}

/// Whether there is nothing in the folder that is somebody else's, or that a data folder without its marker has.
fn may_become_data_folder(layout: &FolderLayout) -> Result<bool, StoreError> {
    let is_empty = |path: &Path| match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(StoreError::from_io(path, error)),
    };
    let entries = match fs::read_dir(layout.path()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(StoreError::from_io(layout.path(), error)),
    };
    for entry in entries {
        let name = entry
            .map_err(|error| StoreError::from_io(layout.path(), error))?
            .file_name();
        if !BEFORE_FORMAT.iter().any(|allowed| name == *allowed) {
            return Ok(false);
        }
    }
    Ok(is_empty(&layout.records())? && is_empty(&layout.versions())?)
}

/// Makes a data folder. Two that do so at once end up with one marker.
fn init(layout: &FolderLayout, install_id: Uuid, patience: Duration) -> Result<(), StoreError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::from_io(path, error)
    };
    let private = |path: &Path| {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
            .map_err(failed(path))
    };
    private(layout.path())?;
    sync_parent(layout.path()).map_err(failed(layout.path()))?;
    let _lock = take_lock(layout, patience)?;
    private(&layout.records())?;
    private(&layout.versions())?;
    let marker = FormatMarker {
        format: FORMAT.to_owned(),
        install_id,
    };
    let json = serde_json::to_vec(&marker)
        .map_err(|error| StoreError::from_io(layout.format(), error.into()))?;
    match create_file(&layout.format(), &json) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map_err(failed(&layout.format())),
    }
}

fn take_lock(layout: &FolderLayout, patience: Duration) -> Result<File, StoreError> {
    let path = layout.lock();
    let failed = |error| StoreError::from_io(&path, error);
    // For reading where it exists, so that a read-only folder can be locked and served.
    let lock = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path),
        opened => opened,
    };
    let lock = lock.map_err(failed)?;
    let mut waited = Duration::ZERO;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
            Err(fs::TryLockError::WouldBlock) if waited >= patience => {
                return Err(StoreError::Locked {
                    path,
                    seconds: patience.as_secs(),
                });
            }
            Err(fs::TryLockError::WouldBlock) => {
                std::thread::sleep(LOCK_POLL);
                waited += LOCK_POLL;
            }
        }
    }
}

/// Of a document that cannot be read: `None` if it is not there, the error if it is too large, which is a matter of
/// this one file, and a failure of the store if the system refused.
fn unreadable(path: &Path, error: DocumentError) -> Result<Option<DocumentError>, StoreError> {
    match error {
        DocumentError::Read(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        DocumentError::Read(error) => Err(StoreError::from_io(path, error)),
        error => Ok(Some(error)),
    }
}

fn revision(content: &[u8]) -> Revision {
    Revision::new(Sha256::digest(content).to_vec())
}

/// Of all files that are no documents for their size: no hash is as short as this.
fn too_large() -> Revision {
    Revision::new(*b"too large")
}

#[cfg(test)]
mod tests;
