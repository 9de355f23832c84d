//! Local mode on real folders. [`Folder`] is one, with a clock that the test moves, and a memory of all that was ever
//! seen in it: whatever happens, nothing of that may be lost or replaced.

use std::fs;

use getrandom::SysRng;
use jiff::{SignedDuration, Timestamp};
use sealward_core::{EncryptionContext, Header, KeyId, Purpose};
use sealward_crds::manifest::parse;
use sealward_crds::reason;
use sealward_protocol::folder::{FolderError, FolderLayout, Snapshot};
use sealward_protocol::material::RecordState;
use sealward_runtime::clock::ManualClock;
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;

mod crash;
mod disk;
mod kill;

const START: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn key(name: &str) -> KeyName {
    KeyName::new("shop", name).unwrap()
}

fn manifest(name: &str, spec: &str) -> Manifest {
    annotated(name, spec, "")
}

fn annotated(name: &str, spec: &str, rotate_at: &str) -> Manifest {
    let annotations = match rotate_at {
        "" => "{}".to_owned(),
        at => format!("{{sealward.dev/rotate-requested-at: \"{at}\"}}"),
    };
    let yaml = format!(
        "apiVersion: sealward.dev/v1alpha1\nkind: CustomerMasterKey\n\
         metadata: {{namespace: shop, name: {name}, annotations: {annotations}}}\nspec: {{{spec}}}\n"
    );
    let mut objects = parse(&yaml, "test.yaml").unwrap();
    Manifest {
        source: format!("{name}.yaml"),
        object: objects.remove(0),
    }
}

struct Folder {
    /// Removed at the end.
    _dir: Option<TempDir>,
    layout: FolderLayout,
    clock: ManualClock,
    manifests: Vec<Manifest>,
    /// Every sealed version that was ever there, as it was.
    seen: BTreeMap<String, Vec<u8>>,
    /// Ciphertexts under every version that a reader of the folder could have sealed with.
    sealed: Vec<Vec<u8>>,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        Self {
            _dir: Some(dir),
            ..Self::at(&path)
        }
    }

    fn at(path: &Path) -> Self {
        Self {
            _dir: None,
            layout: FolderLayout::new(path),
            clock: ManualClock::new(START),
            manifests: Vec::new(),
            seen: BTreeMap::new(),
            sealed: Vec::new(),
        }
    }

    fn with(manifests: &[Manifest]) -> Self {
        Self {
            manifests: manifests.to_vec(),
            ..Self::new()
        }
    }

    fn local(&self) -> LocalMode<ManualClock, SysRng> {
        LocalMode::open(
            self.layout.path(),
            &self.manifests,
            self.clock.clone(),
            SysRng,
        )
        .unwrap()
    }

    fn pass(&mut self) -> Vec<CmkReport> {
        let reports = self.local().pass().unwrap();
        self.check();
        reports
    }

    /// The report on the one CMK there is.
    fn only(&mut self) -> CmkReport {
        let mut reports = self.pass();
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0)
    }

    fn days(&self, days: i64) {
        self.clock
            .set(self.clock.now() + SignedDuration::from_hours(24 * days));
    }

    fn snapshot(&self) -> Snapshot {
        self.layout.snapshot().unwrap()
    }

    /// What must hold at every moment, whatever was going on when it was interrupted.
    fn check(&mut self) {
        // Not even begun.
        let Ok(snapshot) = self.layout.snapshot() else {
            return;
        };
        assert!(snapshot.strays.is_empty(), "{:?}", snapshot.strays);
        let gone: Vec<KeyId> = (snapshot.keys.iter())
            .filter(|set| {
                matches!(
                    set.record.state,
                    RecordState::Destroying | RecordState::Destroyed
                )
            })
            .map(|set| set.record.key_id)
            .collect();
        self.check_versions(&snapshot, &gone);
        for set in &snapshot.keys {
            assert!(set.faults.is_empty(), "{:?}", set.faults);
            let Some(primary) = set.primary() else {
                continue;
            };
            let message = sealward_core::seal(
                &primary.key,
                Purpose::Data,
                &EncryptionContext::none(),
                b"plaintext",
                &mut SysRng,
            );
            self.sealed.push(message.unwrap());
        }
        for ciphertext in &self.sealed {
            let (header, _) = Header::parse(ciphertext).unwrap();
            if !gone.contains(&header.key_id) {
                assert_eq!(
                    open(&snapshot, ciphertext).as_deref(),
                    Some(&b"plaintext"[..])
                );
            }
        }
    }

    /// No version is ever replaced, and none goes away before its key does.
    fn check_versions(&mut self, snapshot: &Snapshot, gone: &[KeyId]) {
        let names: Vec<_> = self
            .layout
            .version_names()
            .unwrap()
            .into_iter()
            .map(Result::unwrap)
            .collect();
        for name in &names {
            let now = fs::read(self.layout.version(name)).unwrap();
            let before = self
                .seen
                .entry(name.to_string())
                .or_insert_with(|| now.clone());
            assert_eq!(*before, now, "{name} was replaced");
        }
        let destroyed = |name: &str| {
            let sets = || snapshot.keys.iter();
            sets().any(|set| {
                let record =
                    RecordName::new(set.record.key_name().unwrap(), set.record.namespace_uid);
                gone.contains(&set.record.key_id) && name.starts_with(&format!("{record}."))
            })
        };
        for seen in self.seen.keys() {
            let there = names.iter().any(|name| name.to_string() == *seen);
            assert!(there || destroyed(seen), "{seen} is lost");
        }
    }
}

fn open(snapshot: &Snapshot, ciphertext: &[u8]) -> Option<Vec<u8>> {
    let (header, _) = Header::parse(ciphertext).unwrap();
    let set = snapshot
        .keys
        .iter()
        .find(|set| set.record.key_id == header.key_id)?;
    let version = set
        .versions
        .iter()
        .find(|open| open.key.version() == header.key_version)?;
    let opened = sealward_core::open(
        &version.key,
        Purpose::Data,
        &EncryptionContext::none(),
        ciphertext,
    );
    Some(opened.unwrap().expose().to_vec())
}

/// The one file in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn a_cmk_is_made_once_and_found_again() {
    let mut folder = Folder::with(&[manifest("web", "description: shop")]);
    let first = folder.only();
    assert!(first.ready, "{first:?}");
    assert_eq!(
        (first.reason, first.primary_version.unwrap().get()),
        (reason::READY, 1)
    );
    assert_eq!(folder.only(), first);
    assert_eq!(folder.snapshot().keys[0].record.spec.description, "shop");
}

#[test]
fn a_manifest_that_goes_away_deletes_nothing() {
    let mut folder = Folder::with(&[manifest("web", "rotationDays: 30")]);
    let before = folder.only();
    folder.manifests.clear();
    folder.days(29);
    assert_eq!(folder.only(), before);
    folder.days(1);
    assert_eq!(folder.only().primary_version.unwrap().get(), 2);
}

#[test]
fn another_name_is_another_key() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    let web = folder.only();
    folder.manifests = vec![manifest("www", "")];
    let reports = folder.pass();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0], web);
    assert_ne!(reports[1].key_id, web.key_id);
}

#[test]
fn two_manifests_of_one_cmk_are_refused_with_both_sources() {
    let mut second = manifest("web", "enabled: false");
    second.source = "other.yaml".to_owned();
    let error = LocalMode::open(
        "/nowhere",
        &[manifest("web", ""), second],
        ManualClock::new(START),
        SysRng,
    );
    let error = error.err().unwrap().to_string();
    assert!(
        error.contains("shop/web") && error.contains("web.yaml") && error.contains("other.yaml"),
        "{error}"
    );
}

#[test]
fn manifests_that_are_refused_change_nothing() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    folder.only();
    let mut local = folder.local();
    let mut long = manifest("web", "");
    long.object.metadata.name = Some("a".repeat(64));
    for bad in [annotated("web", "", "tomorrow"), long] {
        let error = local.set_manifests(&[bad]).unwrap_err().to_string();
        assert!(error.contains(".yaml: metadata"), "{error}");
    }
    assert!(local.pass().unwrap()[0].ready);
    local
        .set_manifests(&[manifest("web", "enabled: false")])
        .unwrap();
    assert_eq!(local.pass().unwrap()[0].reason, reason::DISABLED);
}

#[test]
fn rotates_by_age_and_on_request_and_waits_while_disabled() {
    let mut folder = Folder::with(&[annotated("web", "rotationDays: 90", "2027-01-15T08:00:00Z")]);
    // The first version is as new as anybody could ask for.
    assert_eq!(folder.only().primary_version.unwrap().get(), 1);
    folder.days(90);
    assert_eq!(folder.only().primary_version.unwrap().get(), 2);
    folder.manifests = vec![annotated(
        "web",
        "rotationDays: 90, enabled: false",
        "2027-05-01T00:00:00Z",
    )];
    folder.days(90);
    let disabled = folder.only();
    assert_eq!(
        (disabled.reason, disabled.primary_version.unwrap().get()),
        (reason::DISABLED, 2)
    );
    folder.manifests = vec![annotated("web", "", "2027-05-01T00:00:00Z")];
    assert_eq!(folder.only().primary_version.unwrap().get(), 3);
    assert_eq!(folder.only().primary_version.unwrap().get(), 3);
}

#[test]
fn custody_moves_with_a_rotation_and_is_told() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    folder.only();
    folder.manifests = vec![manifest("web", "custody: Operator")];
    let moved = folder.only();
    assert_eq!(moved.primary_version.unwrap().get(), 2);
    assert!(
        moved.message.ends_with("sidecars may have had version 1"),
        "{}",
        moved.message
    );
    folder.manifests = vec![manifest("web", "custody: Sidecar")];
    assert_eq!(folder.only(), moved);
}

#[test]
fn deletion_is_by_command_holds_against_the_manifest_and_can_be_undone() {
    let mut folder = Folder::with(&[manifest("web", "pendingDeletionDays: 10")]);
    let before = folder.only();
    let deleted = folder.local().delete(&key("web"), None).unwrap();
    assert_eq!(
        deleted.destroy_at,
        Some(START + SignedDuration::from_hours(240))
    );
    assert_eq!(
        (deleted.ready, deleted.reason),
        (false, reason::PENDING_DELETION)
    );
    assert!(
        deleted.message.contains("`sealward restore shop/web`"),
        "{}",
        deleted.message
    );
    folder.days(9);
    assert_eq!(folder.only(), deleted);
    let again = folder.local().delete(&key("web"), Some(7)).unwrap_err();
    assert!(
        matches!(again, LocalError::AlreadyPending { .. }),
        "{again}"
    );
    assert_eq!(folder.local().restore(&key("web")).unwrap(), before);
    assert_eq!(folder.only(), before);
    let again = folder.local().restore(&key("web")).unwrap_err();
    assert!(matches!(again, LocalError::NotPending { .. }), "{again}");
}

#[test]
fn a_restored_cmk_takes_over_the_manifest_again() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    folder.only();
    folder.local().delete(&key("web"), None).unwrap();
    folder.manifests = vec![manifest("web", "enabled: false")];
    assert_eq!(folder.only().reason, reason::PENDING_DELETION);
    assert_eq!(
        folder.local().restore(&key("web")).unwrap().reason,
        reason::READY
    );
    assert_eq!(folder.only().reason, reason::DISABLED);
}

#[test]
fn a_destroyed_key_is_gone_and_stays_gone() {
    let mut folder = Folder::with(&[manifest("web", ""), manifest("api", "")]);
    folder.pass();
    folder.local().delete(&key("web"), Some(7)).unwrap();
    folder.days(7);
    let late = folder.local().restore(&key("web")).unwrap_err();
    assert!(matches!(late, LocalError::Destroyed { .. }), "{late}");
    let reports = folder.pass();
    assert!(reports[0].ready, "the other key is none of its business");
    let destroyed = &reports[1];
    assert_eq!(
        (destroyed.state, destroyed.reason),
        (Some(RecordState::Destroyed), reason::DESTROYED)
    );
    assert!(
        destroyed
            .message
            .contains("was destroyed at 2027-01-22T08:00:00Z"),
        "{}",
        destroyed.message
    );
    assert!(
        destroyed.message.ends_with("give a new key another name"),
        "{}",
        destroyed.message
    );
    assert!(
        only_file(&folder.layout.versions())
            .to_string_lossy()
            .contains("api")
    );
    assert_eq!(folder.pass(), reports);
    for late in [
        folder.local().restore(&key("web")),
        folder.local().delete(&key("web"), None),
    ] {
        assert!(
            matches!(late, Err(LocalError::Destroyed { .. })),
            "{late:?}"
        );
    }
}

#[test]
fn what_cannot_be_deleted_or_restored_is_told() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    let absent = folder.local().delete(&key("web"), None).unwrap_err();
    assert!(
        matches!(
            absent,
            LocalError::Store(StoreError::Folder(FolderError::NotADataFolder { .. }))
        ),
        "{absent}"
    );
    assert!(
        !folder.layout.path().exists(),
        "asking for a deletion made a data folder"
    );
    folder.only();
    for days in [0, 6, 1097] {
        let error = folder.local().delete(&key("web"), Some(days)).unwrap_err();
        assert!(error.to_string().contains("7 to 1096"), "{error}");
    }
    let error = folder.local().delete(&key("www"), None).unwrap_err();
    assert!(matches!(error, LocalError::NoSuchKey { .. }), "{error}");
    assert!(folder.only().ready);
}

#[test]
fn a_missing_root_key_is_asked_for_and_never_made_again() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    let before = folder.only();
    let aside = folder.layout.path().join("aside");
    fs::rename(folder.layout.root_key(), &aside).unwrap();
    let error = folder.local().pass().unwrap_err();
    assert!(
        matches!(error, LocalError::RootKey(RootKeyError::Missing)),
        "{error}"
    );
    // Nor where only the record or only the version is left.
    for (gone, kept) in [
        (only_file(&folder.layout.versions()), "record"),
        (only_file(&folder.layout.records()), "version"),
    ] {
        let saved = fs::read(&gone).unwrap();
        fs::remove_file(&gone).unwrap();
        assert!(
            folder.local().pass().is_err(),
            "made a root key over a {kept}"
        );
        fs::write(&gone, saved).unwrap();
    }
    assert!(!folder.layout.root_key().exists());
    fs::rename(&aside, folder.layout.root_key()).unwrap();
    assert_eq!(folder.only(), before);
}

#[test]
fn under_another_root_key_nothing_is_made_and_the_right_one_heals() {
    let mut folder = Folder::with(&[manifest("web", "rotationDays: 1")]);
    let before = folder.only();
    let mut other = Folder::with(&[manifest("web", "")]);
    other.only();
    let right = fs::read(folder.layout.root_key()).unwrap();
    fs::write(
        folder.layout.root_key(),
        fs::read(other.layout.root_key()).unwrap(),
    )
    .unwrap();
    folder.manifests.push(manifest("api", ""));
    let reports = folder.local().pass().unwrap();
    for report in &reports {
        assert_eq!(
            (report.ready, report.reason),
            (false, reason::ROOT_KEY_MISMATCH),
            "{report:?}"
        );
    }
    only_file(&folder.layout.records());
    only_file(&folder.layout.versions());
    // The same with every version gone: then nothing proves the root key, and nothing is made either.
    let version = only_file(&folder.layout.versions());
    let saved = fs::read(&version).unwrap();
    fs::remove_file(&version).unwrap();
    let reports = folder.local().pass().unwrap();
    assert_eq!(reports[0].reason, reason::ROOT_KEY_MISMATCH);
    assert_eq!(reports[1].reason, reason::KEY_MATERIAL_MISSING);
    fs::write(&version, saved).unwrap();
    fs::write(folder.layout.root_key(), right).unwrap();
    let healed = folder.pass();
    assert!(healed.iter().all(|report| report.ready), "{healed:?}");
    assert_eq!(healed[1], before);
}

#[test]
fn tampering_is_told_on_the_cmk_and_never_overwritten() {
    let mut folder = Folder::with(&[manifest("web", "rotationDays: 1"), manifest("api", "")]);
    let before = folder.pass();
    let name = |cmk: &str| {
        let names = folder
            .layout
            .version_names()
            .unwrap()
            .into_iter()
            .map(Result::unwrap);
        names
            .into_iter()
            .find(|name| name.record.key().name() == cmk)
            .unwrap()
    };
    let (web, api) = (
        folder.layout.version(&name("web")),
        folder.layout.version(&name("api")),
    );
    let good = fs::read_to_string(&web).unwrap();
    let edited = good.replace("\"Sidecar\"", "\"Operator\"");
    let truncated = good[..good.len() / 2].to_owned();
    let swapped = fs::read_to_string(&api).unwrap();
    folder.days(5);
    for (what, content) in [
        ("edited", edited),
        ("truncated", truncated),
        ("swapped", swapped),
        ("empty", String::new()),
    ] {
        fs::write(&web, &content).unwrap();
        let reports = folder.local().pass().unwrap();
        assert_eq!(reports[0], before[0], "{what}: the other key suffers");
        assert_eq!(
            (reports[1].ready, reports[1].reason),
            (false, reason::MATERIAL_DAMAGED),
            "{what}"
        );
        assert!(
            reports[1].message.starts_with("version 1 "),
            "{what}: {}",
            reports[1].message
        );
        assert_eq!(
            fs::read_to_string(&web).unwrap(),
            content,
            "{what}: overwritten"
        );
        let snapshot = folder.snapshot();
        assert!(
            snapshot
                .keys
                .iter()
                .all(|set| set.faults.is_empty() || set.versions.is_empty()),
            "{what}: served"
        );
    }
    // Under another number: version 1 is missing, and what there is does not open in its new place.
    fs::remove_file(&web).unwrap();
    let renamed = PathBuf::from(web.to_string_lossy().replace(".v1.", ".v2."));
    fs::write(&renamed, &good).unwrap();
    let reports = folder.local().pass().unwrap();
    assert_eq!(reports[1].reason, reason::MATERIAL_DAMAGED);
    assert!(
        reports[1]
            .message
            .contains("version 1 is missing; version 2 belongs elsewhere"),
        "{}",
        reports[1].message
    );
    fs::remove_file(&renamed).unwrap();
    assert_eq!(
        folder.local().pass().unwrap()[1].reason,
        reason::KEY_MATERIAL_MISSING
    );
    fs::write(&web, &good).unwrap();
    assert_eq!(folder.pass()[1].reason, reason::READY);
}

#[test]
fn a_record_that_is_damaged_or_gone_is_told_and_not_made_again() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    let before = folder.only();
    let record = only_file(&folder.layout.records());
    let good = fs::read(&record).unwrap();
    fs::write(&record, &good[..10]).unwrap();
    let damaged = folder.local().pass().unwrap().remove(0);
    assert_eq!(
        (damaged.reason, damaged.key_id),
        (reason::MATERIAL_DAMAGED, None)
    );
    assert!(matches!(
        folder.local().delete(&key("web"), None),
        Err(LocalError::Damaged { .. })
    ));
    fs::remove_file(&record).unwrap();
    let gone = folder.local().pass().unwrap().remove(0);
    assert_eq!(gone.reason, reason::KEY_MATERIAL_MISSING);
    fs::write(&record, good).unwrap();
    assert_eq!(folder.only(), before);
}

#[test]
fn a_record_behind_its_versions_catches_up() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    folder.only();
    let record = only_file(&folder.layout.records());
    let old = fs::read(&record).unwrap();
    folder.manifests = vec![annotated("web", "", "2027-02-01T00:00:00Z")];
    assert_eq!(folder.only().primary_version.unwrap().get(), 2);
    // A backup of the record alone, put back: version 2 has been in use, and still is.
    fs::write(&record, old).unwrap();
    folder.manifests = vec![manifest("web", "")];
    assert_eq!(folder.only().primary_version.unwrap().get(), 2);
}

#[test]
fn material_of_another_folder_is_told_and_not_used() {
    let mut folder = Folder::with(&[manifest("web", "")]);
    folder.only();
    // As if the marker had been put back from another folder's backup.
    let marker = fs::read_to_string(folder.layout.format()).unwrap();
    let id = folder.snapshot().marker.install_id.to_string();
    fs::write(
        folder.layout.format(),
        marker.replace(&id, "00000000-0000-4000-8000-000000000000"),
    )
    .unwrap();
    let mut local = folder.local();
    let report = local.pass().unwrap().remove(0);
    assert_eq!(
        (report.ready, report.reason),
        (false, reason::NAMESPACE_CHANGED)
    );
    assert_eq!(local.strays().len(), 1);
    assert!(folder.snapshot().keys.is_empty());
    fs::write(folder.layout.format(), marker).unwrap();
    assert!(folder.only().ready);
}

#[test]
fn files_exchanged_before_a_destruction_do_not_take_the_wrong_key_with_them() {
    let mut folder = Folder::with(&[manifest("web", ""), manifest("api", "")]);
    folder.pass();
    let names = folder.layout.version_names().unwrap();
    let [api, web] = [0, 1].map(|index| folder.layout.version(names[index].as_ref().unwrap()));
    let saved = fs::read(&api).unwrap();
    folder.local().delete(&key("web"), Some(7)).unwrap();
    fs::rename(&api, &web).unwrap();
    folder.days(7);
    let reports = folder.local().pass().unwrap();
    assert_eq!(reports[1].state, Some(RecordState::Destroying));
    assert!(
        reports[1]
            .message
            .contains("say that they are of another key"),
        "{}",
        reports[1].message
    );
    assert_eq!(fs::read(&web).unwrap(), saved);
    fs::rename(&web, &api).unwrap();
    let reports = folder.local().pass().unwrap();
    assert!(reports[0].ready);
    assert_eq!(reports[1].state, Some(RecordState::Destroyed));
}
