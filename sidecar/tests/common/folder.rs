//! A data folder, written as local mode writes it: each file under another name
//! first.

#![allow(dead_code, reason = "each user needs a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion, RootKey, VersionKey};
use sealward_protocol::folder::{FORMAT, FolderLayout, FormatMarker};
use sealward_protocol::material::{
    CountedVersion, Custody, Record, RootKeyDocument, SealedVersion, SpecSeen, VersionContext,
};
use sealward_protocol::names::{KeyName, RecordName};
use tempfile::TempDir;
use uuid::Uuid;

/// A data folder that goes away with the test.
pub(crate) struct Folder {
    pub(crate) dir: TempDir,
    pub(crate) layout: FolderLayout,
    pub(crate) root: RootKey,
    pub(crate) install_id: Uuid,
    pub(crate) records: BTreeMap<KeyId, Record>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self::of(Uuid::from_u128(1))
    }

    pub(crate) fn of(install_id: Uuid) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Self {
            layout: FolderLayout::new(dir.path()),
            root: RootKey::generate(new_id(), KeyVersion::FIRST, &mut getrandom::SysRng).unwrap(),
            install_id,
            records: BTreeMap::new(),
            dir,
        };
        fs::create_dir(folder.layout.records()).unwrap();
        fs::create_dir(folder.layout.versions()).unwrap();
        folder.write_marker(FORMAT);
        let document = RootKeyDocument::new(&folder.root, Timestamp::UNIX_EPOCH);
        write(&folder.layout.root_key(), &document.to_json());
        folder
    }

    pub(crate) fn write_marker(&self, format: &str) {
        let marker = FormatMarker {
            format: format.to_owned(),
            install_id: self.install_id,
        };
        write(&self.layout.format(), &serde_json::to_vec(&marker).unwrap());
    }

    pub(crate) fn add(&mut self, name: &KeyName) -> KeyId {
        let id = new_id();
        let spec = SpecSeen {
            enabled: true,
            description: String::new(),
            rotation_days: None,
            pending_deletion_days: 30,
            custody: Custody::Sidecar,
        };
        let record = Record::new(id, name, self.install_id, spec, Timestamp::UNIX_EPOCH);
        self.records.insert(id, record);
        self.add_version(id);
        id
    }

    pub(crate) fn add_version(&mut self, id: KeyId) {
        let record = self.records.get_mut(&id).unwrap();
        let version = record
            .highest_version
            .map_or(KeyVersion::FIRST, |version| version.next().unwrap());
        let key = VersionKey::generate(id, version, &mut getrandom::SysRng).unwrap();
        let context = VersionContext::new(record, version, Timestamp::UNIX_EPOCH);
        let sealed =
            SealedVersion::seal(&self.root, &key, context, &mut getrandom::SysRng).unwrap();
        let name = record_name(record).version(version, self.root.version());
        write(&self.layout.version(&name), &sealed.to_json());
        record.highest_version = Some(version);
        record.versions.push(CountedVersion {
            version,
            created_at: Timestamp::UNIX_EPOCH,
            custody: Custody::Sidecar,
        });
        self.write_record(id);
    }

    pub(crate) fn write_record(&self, id: KeyId) {
        let record = &self.records[&id];
        write(&self.layout.record(&record_name(record)), &record.to_json());
    }

    pub(crate) fn record_path(&self, id: KeyId) -> PathBuf {
        self.layout.record(&record_name(&self.records[&id]))
    }

    pub(crate) fn version_path(&self, id: KeyId, version: KeyVersion) -> PathBuf {
        let name = record_name(&self.records[&id]).version(version, self.root.version());
        self.layout.version(&name)
    }
}

fn new_id() -> KeyId {
    KeyId::generate(&mut getrandom::SysRng).unwrap()
}

fn record_name(record: &Record) -> RecordName {
    RecordName::new(record.key_name().unwrap(), record.namespace_uid)
}

pub(crate) fn write(path: &Path, content: &[u8]) {
    let temporary = path.with_file_name(".new");
    fs::write(&temporary, content).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(temporary, path).unwrap();
}
