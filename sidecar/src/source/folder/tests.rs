use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use sealward_core::{KeyVersion, RootKey, VersionKey};
use sealward_protocol::folder::{FORMAT, FormatMarker};
use sealward_protocol::material::{
    CountedVersion, Custody, Record, RootKeyDocument, SealedVersion, SpecSeen, VersionContext,
};
use sealward_protocol::names::RecordName;
use sealward_runtime::clock::ManualClock;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::source::conformance;

/// A data folder, written as local mode writes it: each file under another name
/// first.
struct Folder {
    dir: TempDir,
    layout: FolderLayout,
    root: RootKey,
    install_id: Uuid,
    records: BTreeMap<KeyId, Record>,
    source: Option<FolderSource>,
    clock: ManualClock,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = FolderLayout::new(dir.path());
        let install_id = Uuid::from_u128(1);
        let root = RootKey::generate(new_id(), KeyVersion::FIRST, &mut getrandom::SysRng).unwrap();
        let clock = ManualClock::new(Timestamp::now());
        let folder = Self {
            layout,
            root,
            install_id,
            records: BTreeMap::new(),
            source: None,
            clock,
            dir,
        };
        fs::create_dir(folder.layout.records()).unwrap();
        fs::create_dir(folder.layout.versions()).unwrap();
        folder.write_marker(FORMAT);
        let document = RootKeyDocument::new(&folder.root, Timestamp::UNIX_EPOCH);
        write(&folder.layout.root_key(), &document.to_json());
        folder
    }

    fn write_marker(&self, format: &str) {
        let marker = FormatMarker {
            format: format.to_owned(),
            install_id: self.install_id,
        };
        write(&self.layout.format(), &serde_json::to_vec(&marker).unwrap());
    }

    fn open(&mut self) -> FolderSource {
        let clock = Arc::new(self.clock.clone());
        let source = FolderSource::open(self.dir.path(), clock).unwrap();
        self.source = Some(source.clone());
        source
    }

    /// Lets a second pass, and the source look at the folder.
    fn look(&self) {
        self.clock.advance(POLL);
        self.source.as_ref().unwrap().reload();
    }

    fn add(&mut self, name: &KeyName) -> KeyId {
        let id = new_id();
        let record = Record {
            key_id: id,
            namespace: name.namespace().to_owned(),
            name: name.name().to_owned(),
            namespace_uid: self.install_id,
            state: RecordState::Active,
            highest_version: None,
            versions: Vec::new(),
            rotation_requests: Vec::new(),
            spec: SpecSeen {
                enabled: true,
                description: String::new(),
                rotation_days: None,
                pending_deletion_days: 30,
                custody: Custody::Sidecar,
            },
            created_at: Timestamp::UNIX_EPOCH,
            deletion_requested_at: None,
            destroy_at: None,
            destroyed_at: None,
        };
        self.records.insert(id, record);
        self.add_version(id);
        id
    }

    fn add_version(&mut self, id: KeyId) {
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

    fn write_record(&self, id: KeyId) {
        let record = &self.records[&id];
        write(&self.layout.record(&record_name(record)), &record.to_json());
    }

    fn record_path(&self, id: KeyId) -> PathBuf {
        self.layout.record(&record_name(&self.records[&id]))
    }

    fn problem(&self) -> String {
        let status = self.source.as_ref().unwrap().status();
        let problem = status.borrow().problem.clone();
        problem.unwrap_or_default()
    }
}

impl conformance::Fixture for Folder {
    fn source(&self) -> &dyn KeySource {
        self.source.as_ref().unwrap()
    }

    async fn create(&mut self, name: &KeyName) -> KeyId {
        let id = self.add(name);
        self.look();
        id
    }

    async fn rotate(&mut self, id: KeyId) {
        self.add_version(id);
        self.look();
    }

    async fn set_state(&mut self, id: KeyId, state: CmkState) {
        let record = self.records.get_mut(&id).unwrap();
        record.state = RecordState::Active;
        record.spec.enabled = state != CmkState::Disabled;
        (record.deletion_requested_at, record.destroy_at) = (None, None);
        if let CmkState::PendingDeletion { destroy_at } = state {
            record.state = RecordState::PendingDeletion;
            record.deletion_requested_at = Some(Timestamp::UNIX_EPOCH);
            record.destroy_at = Some(destroy_at);
        }
        self.write_record(id);
        self.look();
    }

    async fn confirm(&mut self) {
        self.look();
    }
}

fn new_id() -> KeyId {
    KeyId::generate(&mut getrandom::SysRng).unwrap()
}

fn record_name(record: &Record) -> RecordName {
    RecordName::new(record.key_name().unwrap(), record.namespace_uid)
}

fn write(path: &Path, content: &[u8]) {
    let temporary = path.with_file_name(".new");
    fs::write(&temporary, content).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(temporary, path).unwrap();
}

fn name() -> KeyName {
    "shop/web".parse().unwrap()
}

async fn load(source: &FolderSource, id: KeyId) -> Result<Arc<Cmk>, SourceError> {
    source.load(&Wanted::Id(id)).await
}

#[tokio::test]
async fn conforms() {
    let mut folder = Folder::new();
    folder.open();
    conformance::run(&mut folder).await;
}

#[tokio::test]
async fn a_folder_that_vanishes_goes_on_being_served_and_is_said_so() {
    let mut folder = Folder::new();
    let id = folder.add(&name());
    let source = folder.open();
    let confirmed = source.status().borrow().confirmed_at;
    let elsewhere = folder.dir.path().with_extension("away");
    fs::rename(folder.dir.path(), &elsewhere).unwrap();
    folder.look();
    assert!(
        folder.problem().contains("format.json"),
        "{}",
        folder.problem()
    );
    assert_eq!(
        source.status().borrow().confirmed_at,
        confirmed,
        "nothing was confirmed"
    );
    assert_eq!(load(&source, id).await.unwrap().versions.len(), 1);

    fs::rename(&elsewhere, folder.dir.path()).unwrap();
    folder.look();
    assert_eq!(folder.problem(), "");
    assert!(source.status().borrow().confirmed_at > confirmed);
}

#[tokio::test]
async fn a_record_that_vanishes_or_breaks_goes_on_being_served_and_is_said_so() {
    let mut folder = Folder::new();
    let id = folder.add(&name());
    let source = folder.open();
    let path = folder.record_path(id);
    for broken in [None, Some(&b"{"[..])] {
        match broken {
            None => fs::remove_file(&path).unwrap(),
            Some(content) => write(&path, content),
        }
        folder.look();
        assert!(
            folder.problem().contains("the record of shop/web is gone"),
            "{}",
            folder.problem()
        );
        let cmk = load(&source, id).await.unwrap();
        assert_eq!(cmk.versions.len(), 1);
        assert!(
            cmk.last_seen.is_some(),
            "it is known since when nobody confirmed it"
        );
        folder.write_record(id);
        folder.look();
        assert_eq!(folder.problem(), "");
        assert_eq!(load(&source, id).await.unwrap().last_seen, None);
    }
}

#[tokio::test]
async fn a_version_that_vanishes_or_breaks_goes_on_being_served_and_is_said_so() {
    let mut folder = Folder::new();
    let id = folder.add(&name());
    let source = folder.open();
    let record = &folder.records[&id];
    let version = record_name(record).version(KeyVersion::FIRST, folder.root.version());
    let path = folder.layout.version(&version);
    let content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    folder.look();
    assert!(
        folder
            .problem()
            .contains("version 1 of shop/web: is missing"),
        "{}",
        folder.problem()
    );
    assert_eq!(load(&source, id).await.unwrap().versions.len(), 1);
    write(&path, &content[..content.len() / 2]);
    folder.look();
    assert_eq!(load(&source, id).await.unwrap().versions.len(), 1);
    write(&path, &content);
    folder.look();
    assert_eq!(folder.problem(), "");
}

#[tokio::test]
async fn a_version_with_other_bytes_does_not_replace_a_known_one() {
    let mut folder = Folder::new();
    let id = folder.add(&name());
    let source = folder.open();
    let before = load(&source, id).await.unwrap();
    // The same version, made again and validly sealed.
    let record = folder.records.get_mut(&id).unwrap();
    (record.highest_version, record.versions) = (None, Vec::new());
    folder.add_version(id);
    folder.look();
    assert!(
        folder.problem().contains("other bytes"),
        "{}",
        folder.problem()
    );
    let after = load(&source, id).await.unwrap();
    assert!(Arc::ptr_eq(
        before.primary().unwrap(),
        after.primary().unwrap()
    ));
}

#[tokio::test]
async fn another_folder_in_its_place_is_refused() {
    let mut folder = Folder::new();
    let id = folder.add(&name());
    let source = folder.open();
    folder.install_id = Uuid::from_u128(2);
    folder.write_marker(FORMAT);
    folder.look();
    assert!(
        folder.problem().contains("another data folder"),
        "{}",
        folder.problem()
    );
    assert_eq!(load(&source, id).await.unwrap().versions.len(), 1);
}

#[test]
fn refuses_to_open_what_is_not_a_usable_folder() {
    type Break = fn(&Folder);
    let cases: [(&str, Break); 4] = [
        ("not a data folder", |folder| {
            fs::remove_file(folder.layout.format()).unwrap()
        }),
        ("sealward.dev/data/v9", |folder| {
            folder.write_marker("sealward.dev/data/v9")
        }),
        ("root-key.json is missing", |folder| {
            fs::remove_file(folder.layout.root_key()).unwrap()
        }),
        ("mode 0644", |folder| {
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(folder.layout.root_key(), mode).unwrap();
        }),
    ];
    for (words, change) in cases {
        let folder = Folder::new();
        change(&folder);
        let clock = Arc::new(folder.clock.clone());
        let error = FolderSource::open(folder.dir.path(), clock)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_did_not_change_is_not_read_again() {
    let mut folder = Folder::new();
    folder.add(&name());
    let source = folder.open();
    // What changed just now is read again, since the file system's clock is coarse.
    folder.look();
    folder.clock.advance(Duration::from_secs(10));
    folder.look();
    let generation = source.status().borrow().generation;
    folder.look();
    assert_eq!(source.status().borrow().generation, generation);
    folder.add(&"shop/other".parse().unwrap());
    folder.look();
    assert!(source.status().borrow().generation > generation);
}

#[tokio::test]
async fn looks_by_itself_each_second() {
    let mut folder = Folder::new();
    let source = folder.open();
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let (source, shutdown) = (source.clone(), shutdown.clone());
        async move { source.run(shutdown).await }
    });
    let mut status = source.status();
    let id = folder.add(&name());
    tokio::time::timeout(
        Duration::from_secs(5),
        status.wait_for(|_| source.0.lock().cmks.contains_key(&id)),
    )
    .await
    .unwrap()
    .unwrap();
    shutdown.trigger();
    running.await.unwrap();
}
