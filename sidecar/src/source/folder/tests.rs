use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use sealward_core::KeyVersion;
use sealward_runtime::clock::ManualClock;
use uuid::Uuid;

use self::fixture::{Folder, write};
use super::*;
use crate::source::conformance;

#[path = "../../../tests/common/folder.rs"]
mod fixture;

/// A data folder, and the source that looks at it.
struct Watched {
    folder: Folder,
    source: FolderSource,
    clock: ManualClock,
}

impl Watched {
    /// With the CMK `shop/web`.
    fn new() -> (Self, KeyId) {
        let mut folder = Folder::new();
        let id = folder.add(&name());
        (Self::open(folder), id)
    }

    fn open(folder: Folder) -> Self {
        let clock = ManualClock::new(Timestamp::now());
        let source = FolderSource::open(folder.dir.path(), Arc::new(clock.clone())).unwrap();
        Self {
            folder,
            source,
            clock,
        }
    }

    /// Lets a second pass, and the source look at the folder.
    fn look(&self) {
        self.clock.advance(POLL);
        self.source.reload();
    }

    fn problem(&self) -> String {
        self.source
            .status()
            .borrow()
            .problem
            .clone()
            .unwrap_or_default()
    }

    async fn load(&self, id: KeyId) -> Arc<Cmk> {
        self.source.load(&Wanted::Id(id)).await.unwrap()
    }
}

impl conformance::Fixture for Watched {
    fn source(&self) -> &dyn KeySource {
        &self.source
    }

    async fn create(&mut self, name: &KeyName) -> KeyId {
        let id = self.folder.add(name);
        self.look();
        id
    }

    async fn rotate(&mut self, id: KeyId) {
        self.folder.add_version(id);
        self.look();
    }

    async fn set_state(&mut self, id: KeyId, state: CmkState) {
        let record = self.folder.records.get_mut(&id).unwrap();
        record.state = RecordState::Active;
        record.spec.enabled = state != CmkState::Disabled;
        (record.deletion_requested_at, record.destroy_at) = (None, None);
        if let CmkState::PendingDeletion { destroy_at } = state {
            record.state = RecordState::PendingDeletion;
            record.deletion_requested_at = Some(Timestamp::UNIX_EPOCH);
            record.destroy_at = Some(destroy_at);
        }
        self.folder.write_record(id);
        self.look();
    }

    async fn confirm(&mut self) {
        self.look();
    }
}

fn name() -> KeyName {
    "shop/web".parse().unwrap()
}

#[tokio::test]
async fn conforms() {
    conformance::run(&mut Watched::open(Folder::new())).await;
}

#[tokio::test]
async fn a_folder_that_vanishes_goes_on_being_served_and_is_said_so() {
    let (watched, id) = Watched::new();
    let confirmed = watched.source.status().borrow().confirmed_at;
    let elsewhere = watched.folder.dir.path().with_extension("away");
    fs::rename(watched.folder.dir.path(), &elsewhere).unwrap();
    watched.look();
    assert!(
        watched.problem().contains("format.json"),
        "{}",
        watched.problem()
    );
    assert_eq!(
        watched.source.status().borrow().confirmed_at,
        confirmed,
        "nothing was confirmed"
    );
    assert_eq!(watched.load(id).await.versions.len(), 1);

    fs::rename(&elsewhere, watched.folder.dir.path()).unwrap();
    watched.look();
    assert_eq!(watched.problem(), "");
    assert!(watched.source.status().borrow().confirmed_at > confirmed);
}

#[tokio::test]
async fn a_record_that_vanishes_or_breaks_goes_on_being_served_and_is_said_so() {
    let (watched, id) = Watched::new();
    let path = watched.folder.record_path(id);
    for broken in [None, Some(&b"{"[..])] {
        match broken {
            None => fs::remove_file(&path).unwrap(),
            Some(content) => write(&path, content),
        }
        watched.look();
        assert!(
            watched.problem().contains("the record of shop/web is gone"),
            "{}",
            watched.problem()
        );
        let cmk = watched.load(id).await;
        assert_eq!(cmk.versions.len(), 1);
        assert!(
            cmk.last_seen.is_some(),
            "it is known since when nobody confirmed it"
        );
        watched.folder.write_record(id);
        watched.look();
        assert_eq!(watched.problem(), "");
        assert_eq!(watched.load(id).await.last_seen, None);
    }
}

#[tokio::test]
async fn a_version_that_vanishes_or_breaks_goes_on_being_served_and_is_said_so() {
    let (watched, id) = Watched::new();
    let path = watched.folder.version_path(id, KeyVersion::FIRST);
    let content = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    watched.look();
    assert!(
        watched
            .problem()
            .contains("version 1 of shop/web: is missing"),
        "{}",
        watched.problem()
    );
    assert_eq!(watched.load(id).await.versions.len(), 1);
    write(&path, &content[..content.len() / 2]);
    watched.look();
    assert_eq!(watched.load(id).await.versions.len(), 1);
    write(&path, &content);
    watched.look();
    assert_eq!(watched.problem(), "");
}

#[tokio::test]
async fn a_version_with_other_bytes_does_not_replace_a_known_one() {
    let (mut watched, id) = Watched::new();
    let before = watched.load(id).await;
    // The same version, made again and validly sealed.
    let record = watched.folder.records.get_mut(&id).unwrap();
    (record.highest_version, record.versions) = (None, Vec::new());
    watched.folder.add_version(id);
    watched.look();
    assert!(
        watched.problem().contains("other bytes"),
        "{}",
        watched.problem()
    );
    let after = watched.load(id).await;
    assert!(Arc::ptr_eq(
        before.primary().unwrap(),
        after.primary().unwrap()
    ));
}

#[tokio::test]
async fn another_folder_in_its_place_is_refused() {
    let (watched, id) = Watched::new();
    let mut other = Folder::of(Uuid::from_u128(2));
    let other_id = other.add(&"shop/other".parse().unwrap());
    let path = watched.folder.dir.path();
    fs::rename(path, path.with_extension("away")).unwrap();
    fs::rename(other.dir.path(), path).unwrap();
    watched.look();
    assert!(
        watched.problem().contains("restart to serve its keys"),
        "{}",
        watched.problem()
    );
    assert_eq!(watched.load(id).await.versions.len(), 1);
    assert!(watched.source.load(&Wanted::Id(other_id)).await.is_err());
    fs::remove_dir_all(path.with_extension("away")).unwrap();
}

#[test]
fn refuses_to_open_what_is_not_a_usable_folder() {
    type Break = fn(&Folder);
    let cases: [(&str, Break); 4] = [
        ("not a data folder", |folder| {
            fs::remove_file(folder.layout.format()).unwrap();
        }),
        ("sealward.dev/data/v9", |folder| {
            folder.write_marker("sealward.dev/data/v9");
        }),
        ("root-key.json is missing", |folder| {
            fs::remove_file(folder.layout.root_key()).unwrap();
        }),
        ("mode 0644", |folder| {
            let mode = fs::Permissions::from_mode(0o644);
            fs::set_permissions(folder.layout.root_key(), mode).unwrap();
        }),
    ];
    for (words, change) in cases {
        let folder = Folder::new();
        change(&folder);
        let clock = Arc::new(ManualClock::new(Timestamp::now()));
        let error = FolderSource::open(folder.dir.path(), clock)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_did_not_change_is_not_read_again() {
    let (mut watched, _) = Watched::new();
    // What changed just now is read again, since the file system's clock is coarse.
    watched.look();
    watched.clock.advance(Duration::from_secs(10));
    watched.look();
    let generation = watched.source.status().borrow().generation;
    watched.look();
    assert_eq!(watched.source.status().borrow().generation, generation);
    watched.folder.add(&"shop/other".parse().unwrap());
    watched.look();
    assert!(watched.source.status().borrow().generation > generation);
}

#[tokio::test]
async fn looks_by_itself_each_second() {
    let mut watched = Watched::open(Folder::new());
    let source = watched.source.clone();
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let (source, shutdown) = (source.clone(), shutdown.clone());
        async move { source.run(shutdown).await }
    });
    let mut status = watched.source.status();
    let id = watched.folder.add(&name());
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
