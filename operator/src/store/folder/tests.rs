use std::os::unix::fs::MetadataExt;

use getrandom::SysRng;
use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion, VersionKey};
use sealward_protocol::material::{Custody, SpecSeen, VersionContext};
use sealward_protocol::names::KeyName;
use tempfile::TempDir;

use super::*;
use crate::wait::block_on;

const ID: Uuid = Uuid::from_u128(7);
const NO_PATIENCE: Duration = Duration::from_millis(30);

fn record() -> Record {
    let key = KeyName::new("shop", "web").unwrap();
    let spec = SpecSeen {
        enabled: true,
        description: String::new(),
        rotation_days: None,
        pending_deletion_days: 30,
        custody: Custody::Sidecar,
    };
    Record::new(
        KeyId::from_bytes([1; 16]),
        &key,
        ID,
        spec,
        Timestamp::UNIX_EPOCH,
    )
}

fn name() -> RecordName {
    RecordName::new(KeyName::new("shop", "web").unwrap(), ID)
}

fn sealed() -> (VersionName, SealedVersion) {
    let root = RootKey::new(KeyId::from_bytes([2; 16]), KeyVersion::FIRST, &[3; 32]);
    let key = VersionKey::generate(record().key_id, KeyVersion::FIRST, &mut SysRng).unwrap();
    let context = VersionContext::new(&record(), KeyVersion::FIRST, Timestamp::UNIX_EPOCH);
    let sealed = SealedVersion::seal(&root, &key, context, &mut SysRng).unwrap();
    (name().version(KeyVersion::FIRST, KeyVersion::FIRST), sealed)
}

fn store() -> (TempDir, FolderStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = FolderStore::open_or_init(&dir.path().join("data"), ID, NO_PATIENCE).unwrap();
    (dir, store)
}

fn held(store: &FolderStore) -> Holding {
    block_on(store.holding(&name())).unwrap()
}

#[test]
fn nobody_else_can_read_what_it_makes() {
    let (_dir, store) = store();
    let root = RootKey::new(KeyId::from_bytes([2; 16]), KeyVersion::FIRST, &[3; 32]);
    block_on(store.create_root_key(&RootKeyDocument::new(&root, Timestamp::UNIX_EPOCH))).unwrap();
    block_on(store.create_record(&name(), &record())).unwrap();
    let (version, sealed) = sealed();
    block_on(store.create_version(&version, &sealed)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    let layout = &store.layout;
    for folder in [
        layout.path().to_owned(),
        layout.records(),
        layout.versions(),
    ] {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    let files = [
        layout.format(),
        layout.lock(),
        layout.root_key(),
        layout.record(&name()),
        layout.version(&version),
    ];
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        assert_eq!(
            fs::metadata(&file).unwrap().nlink(),
            1,
            "{}",
            file.display()
        );
    }
}

#[test]
fn creates_and_never_replaces() {
    let (_dir, store) = store();
    let (version, first) = sealed();
    block_on(store.create_version(&version, &first)).unwrap();
    block_on(store.create_record(&name(), &record())).unwrap();
    let root = |byte| {
        RootKey::new(
            KeyId::from_bytes([byte; 16]),
            KeyVersion::FIRST,
            &[byte; 32],
        )
    };
    let document = |byte| RootKeyDocument::new(&root(byte), Timestamp::UNIX_EPOCH);
    block_on(store.create_root_key(&document(1))).unwrap();

    let (_, second) = sealed();
    let refused = [
        block_on(store.create_version(&version, &second)),
        block_on(store.create_record(&name(), &record())),
        block_on(store.create_root_key(&document(2))),
    ];
    for refused in refused {
        assert!(
            matches!(refused, Err(StoreError::Exists { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(held(&store).versions[0].document.as_ref().unwrap(), &first);
    assert_eq!(
        block_on(store.root_key()).unwrap().unwrap().id(),
        root(1).id()
    );
}

#[test]
fn replaces_and_deletes_only_what_was_seen() {
    let (_dir, store) = store();
    let (version, sealed) = sealed();
    block_on(store.create_record(&name(), &record())).unwrap();
    block_on(store.create_version(&version, &sealed)).unwrap();
    let seen = held(&store);
    let record_seen = seen.record.unwrap().revision;
    let version_seen = &seen.versions[0].revision;

    let mut next = record();
    next.spec.enabled = false;
    block_on(store.replace_record(&name(), &next, &record_seen)).unwrap();
    let again = block_on(store.replace_record(&name(), &record(), &record_seen));
    assert!(
        matches!(again, Err(StoreError::Changed { .. })),
        "{again:?}"
    );
    assert_eq!(held(&store).record.unwrap().document.unwrap(), next);

    let path = store.layout.version(&version);
    let json = fs::read(&path).unwrap();
    fs::write(&path, "edited").unwrap();
    let refused = block_on(store.delete_version(&version, version_seen));
    assert!(
        matches!(refused, Err(StoreError::Changed { .. })),
        "{refused:?}"
    );
    fs::write(&path, json).unwrap();
    block_on(store.delete_version(&version, version_seen)).unwrap();
    let gone = block_on(store.delete_version(&version, version_seen));
    assert!(matches!(gone, Err(StoreError::Changed { .. })), "{gone:?}");
    assert!(held(&store).versions.is_empty());
}

#[test]
fn what_a_crash_left_in_the_making_does_no_harm() {
    let (_dir, store) = store();
    let (version, sealed) = sealed();
    block_on(store.create_version(&version, &sealed)).unwrap();
    let path = store.layout.version(&version);
    // Killed after the link: `.new` is a second name of a version that counts. Killed before: it is half a file.
    fs::hard_link(&path, store.layout.versions().join(NEW)).unwrap();
    fs::write(store.layout.records().join(NEW), "{ \"keyId\"").unwrap();
    let other = name().version(KeyVersion::new(2).unwrap(), KeyVersion::FIRST);
    block_on(store.create_version(&other, &sealed)).unwrap();
    block_on(store.create_record(&name(), &record())).unwrap();
    let held = held(&store);
    assert_eq!(held.versions.len(), 2);
    assert_eq!(held.versions[0].document.as_ref().unwrap(), &sealed);
    assert_eq!(held.record.unwrap().document.unwrap(), record());
    let left = fs::read_dir(store.layout.versions()).unwrap().count();
    assert_eq!(left, 2);
}

#[test]
fn files_of_others_are_told_apart_from_documents() {
    let (_dir, store) = store();
    fs::write(store.layout.versions().join("notes.txt"), "").unwrap();
    fs::write(store.layout.record(&name()), "{").unwrap();
    let inventory = block_on(store.inventory()).unwrap();
    assert_eq!(inventory.strays.len(), 1);
    assert!(
        inventory.strays[0].starts_with("versions/notes.txt: "),
        "{:?}",
        inventory.strays
    );
    assert!(
        inventory.holdings[&name()]
            .record
            .as_ref()
            .unwrap()
            .document
            .is_err()
    );
}

#[test]
fn makes_a_data_folder_of_nothing_and_of_what_a_killed_start_left() {
    let dir = tempfile::tempdir().unwrap();
    let steps: [&dyn Fn(&Path); 5] = [
        &|_| {},
        &|path| fs::create_dir(path).unwrap(),
        &|path| fs::write(path.join("lock"), "").unwrap(),
        &|path| fs::create_dir(path.join("records")).unwrap(),
        &|path| fs::write(path.join(NEW), "{").unwrap(),
    ];
    for count in 1..=steps.len() {
        let path = dir.path().join(count.to_string());
        steps[..count].iter().for_each(|step| step(&path));
        let store = FolderStore::open_or_init(&path, ID, NO_PATIENCE).unwrap();
        assert_eq!(store.install_id(), ID);
        drop(store);
        // The first id stays.
        let again = FolderStore::open_or_init(&path, Uuid::from_u128(8), NO_PATIENCE).unwrap();
        assert_eq!(again.install_id(), ID);
    }
}

#[test]
fn leaves_folders_of_others_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "").unwrap();
    let error = FolderStore::open_or_init(dir.path(), ID, NO_PATIENCE).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Folder(FolderError::NotADataFolder { .. })
        ),
        "{error}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_data_folder_that_lost_its_marker_is_not_begun_anew() {
    let (_dir, store) = store();
    block_on(store.create_record(&name(), &record())).unwrap();
    let path = store.layout.path().to_owned();
    fs::remove_file(store.layout.format()).unwrap();
    drop(store);
    let error = FolderStore::open_or_init(&path, ID, NO_PATIENCE).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Folder(FolderError::NotADataFolder { .. })
        ),
        "{error}"
    );
}

#[test]
fn refuses_the_format_of_another_release() {
    let (_dir, store) = store();
    let path = store.layout.path().to_owned();
    let json = format!(r#"{{"format": "sealward.dev/data/v9", "installId": "{ID}"}}"#);
    fs::write(store.layout.format(), json).unwrap();
    drop(store);
    for opened in [
        FolderStore::open_or_init(&path, ID, NO_PATIENCE),
        FolderStore::open(&path, NO_PATIENCE),
    ] {
        let error = opened.unwrap_err();
        assert!(
            error.to_string().contains("sealward.dev/data/v9"),
            "{error}"
        );
    }
}

#[test]
fn one_writer_at_a_time_and_the_next_waits() {
    let (_dir, store) = store();
    let path = store.layout.path().to_owned();
    let error = FolderStore::open(&path, NO_PATIENCE).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let waiting =
        std::thread::spawn(move || FolderStore::open(&path, Duration::from_mins(1)).map(|_| ()));
    std::thread::sleep(NO_PATIENCE);
    assert!(!waiting.is_finished());
    drop(store);
    waiting.join().unwrap().unwrap();
}
