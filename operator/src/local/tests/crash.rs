//! Death at each write: just before it, and just after it, before anybody hears that it was done.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sealward_core::RootKey;
use sealward_protocol::material::{RootKeyDocument, SealedVersion};
use sealward_protocol::names::VersionName;

use super::*;
use crate::store::Revision;

/// A store whose process dies at one of its writes; then nothing works any more.
struct Mortal<'a> {
    store: &'a FolderStore,
    death: Option<Death>,
    writes: AtomicUsize,
    dead: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Death {
    /// At this write, counted from 1.
    at: usize,
    /// Whether that write is done first.
    done: bool,
}

impl Mortal<'_> {
    async fn write(
        &self,
        write: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        self.alive()?;
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        match self.death {
            Some(death) if death.at == number => {
                if death.done {
                    write.await?;
                }
                self.dead.store(true, Ordering::Relaxed);
                self.alive()
            }
            _ => write.await,
        }
    }

    fn alive(&self) -> Result<(), StoreError> {
        if self.dead.load(Ordering::Relaxed) {
            let error = std::io::Error::other("killed");
            return Err(StoreError::Io {
                path: PathBuf::new(),
                error,
            });
        }
        Ok(())
    }
}

impl Store for Mortal<'_> {
    async fn root_key(&self) -> Result<Option<RootKey>, StoreError> {
        self.alive()?;
        self.store.root_key().await
    }

    async fn create_root_key(&self, document: &RootKeyDocument) -> Result<(), StoreError> {
        self.write(self.store.create_root_key(document)).await
    }

    async fn inventory(&self) -> Result<Inventory, StoreError> {
        self.alive()?;
        self.store.inventory().await
    }

    async fn holding(&self, name: &RecordName) -> Result<Holding, StoreError> {
        self.alive()?;
        self.store.holding(name).await
    }

    async fn create_record(&self, name: &RecordName, record: &Record) -> Result<(), StoreError> {
        self.write(self.store.create_record(name, record)).await
    }

    async fn replace_record(
        &self,
        name: &RecordName,
        record: &Record,
        seen: &Revision,
    ) -> Result<(), StoreError> {
        self.write(self.store.replace_record(name, record, seen))
            .await
    }

    async fn create_version(
        &self,
        name: &VersionName,
        sealed: &SealedVersion,
    ) -> Result<(), StoreError> {
        self.write(self.store.create_version(name, sealed)).await
    }

    async fn delete_version(&self, name: &VersionName, seen: &Revision) -> Result<(), StoreError> {
        self.write(self.store.delete_version(name, seen)).await
    }
}

/// What is going on when death comes.
#[derive(Clone, Copy, Debug)]
enum Act {
    Pass,
    Delete,
    Restore,
}

impl Folder {
    /// Lets a process do something that may die. Returns how many writes it began, and whether it lived.
    fn risk(&mut self, act: Act, death: Option<Death>) -> (usize, bool) {
        let local = self.local();
        let now = self.clock.now();
        let store =
            FolderStore::open_or_init(self.layout.path(), Uuid::from_u128(7), PATIENCE).unwrap();
        let mortal = Mortal {
            store: &store,
            death,
            writes: AtomicUsize::new(0),
            dead: AtomicBool::new(false),
        };
        let (id, web) = (store.install_id(), key("web"));
        let name = RecordName::new(web.clone(), id);
        match act {
            Act::Pass => drop(block_on(pass(&mortal, id, &local.wanted, &mut SysRng, now))),
            Act::Delete => {
                let presence = |record: &Record, _| to_delete(record, Some(7));
                drop(block_on(change(
                    &mortal,
                    id,
                    &name,
                    &mut SysRng,
                    now,
                    presence,
                )));
            }
            Act::Restore => {
                let presence = |record: &Record, now| to_restore(&web, record, now);
                drop(block_on(change(
                    &mortal,
                    id,
                    &name,
                    &mut SysRng,
                    now,
                    presence,
                )));
            }
        }
        let (writes, dead) = (mortal.writes.into_inner(), mortal.dead.into_inner());
        drop(store);
        self.check();
        (writes, !dead)
    }

    /// Nothing is left to do, and nothing is written.
    fn is_settled(&mut self) -> bool {
        self.risk(Act::Pass, None).0 == 0
    }
}

struct Scenario {
    name: &'static str,
    /// What was before.
    setup: fn() -> Folder,
    /// During which death comes.
    act: Act,
    /// How many writes that takes.
    writes: usize,
    /// What is in the end: state, and the number of versions that count.
    state: RecordState,
    versions: usize,
}

fn active(spec: &str) -> Folder {
    let mut folder = Folder::with(&[manifest("web", spec)]);
    folder.only();
    folder
}

fn rotated() -> Folder {
    let mut folder = active("");
    folder.manifests = vec![annotated("web", "", "2027-01-16T00:00:00Z")];
    folder.only();
    folder
}

fn deleted() -> Folder {
    let folder = rotated();
    folder.local().delete(&key("web"), Some(7)).unwrap();
    folder
}

const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "the first start: root key, record, version, count",
        setup: || Folder::with(&[manifest("web", "")]),
        act: Act::Pass,
        writes: 4,
        state: RecordState::Active,
        versions: 1,
    },
    Scenario {
        name: "rotation by age",
        setup: || {
            let folder = active("rotationDays: 90");
            folder.days(90);
            folder
        },
        act: Act::Pass,
        writes: 2,
        state: RecordState::Active,
        versions: 2,
    },
    Scenario {
        name: "rotation on request",
        setup: || {
            let mut folder = active("");
            folder.manifests = vec![annotated("web", "", "2027-01-16T00:00:00Z")];
            folder
        },
        act: Act::Pass,
        writes: 3,
        state: RecordState::Active,
        versions: 2,
    },
    Scenario {
        name: "rotation by age and on request at once",
        setup: || {
            let mut folder = active("rotationDays: 90");
            folder.days(90);
            folder.manifests = vec![annotated("web", "rotationDays: 90", "2027-01-16T00:00:00Z")];
            folder
        },
        act: Act::Pass,
        writes: 3,
        state: RecordState::Active,
        versions: 2,
    },
    Scenario {
        name: "custody moves to the operator",
        setup: || {
            let mut folder = active("");
            folder.manifests = vec![manifest("web", "custody: Operator")];
            folder
        },
        act: Act::Pass,
        writes: 3,
        state: RecordState::Active,
        versions: 2,
    },
    Scenario {
        name: "deletion",
        setup: rotated,
        act: Act::Delete,
        writes: 1,
        state: RecordState::PendingDeletion,
        versions: 2,
    },
    Scenario {
        name: "restoration",
        setup: deleted,
        act: Act::Restore,
        writes: 1,
        state: RecordState::Active,
        versions: 2,
    },
    Scenario {
        name: "destruction: record, two versions, record",
        setup: || {
            let folder = deleted();
            folder.days(7);
            folder
        },
        act: Act::Pass,
        writes: 4,
        state: RecordState::Destroyed,
        versions: 2,
    },
];

fn assert_outcome(folder: &mut Folder, scenario: &Scenario, when: &str) {
    let Scenario {
        name,
        state,
        versions,
        ..
    } = scenario;
    assert!(folder.is_settled(), "{name}, {when}: a second pass writes");
    let snapshot = folder.snapshot();
    let [set] = &snapshot.keys[..] else {
        panic!("{name}, {when}: {} keys", snapshot.keys.len())
    };
    assert_eq!(set.record.state, *state, "{name}, {when}");
    assert_eq!(
        set.record.versions.len(),
        *versions,
        "{name}, {when}: versions that count"
    );
    let there = if *state == RecordState::Destroyed {
        0
    } else {
        *versions
    };
    assert_eq!(
        folder.layout.version_names().unwrap().len(),
        there,
        "{name}, {when}: versions that are there"
    );
    let ready = folder.only().ready;
    assert_eq!(ready, *state == RecordState::Active, "{name}, {when}");
}

#[test]
fn killed_at_any_write_it_loses_nothing_and_ends_where_it_would_have() {
    for scenario in &SCENARIOS {
        let mut unharmed = (scenario.setup)();
        assert_eq!(
            unharmed.risk(scenario.act, None),
            (scenario.writes, true),
            "{}",
            scenario.name
        );
        assert_outcome(&mut unharmed, scenario, "unharmed");
        for at in 1..=scenario.writes {
            for done in [false, true] {
                let death = Death { at, done };
                let mut folder = (scenario.setup)();
                assert!(!folder.risk(scenario.act, Some(death)).1);
                // Time goes by until somebody starts it again; then it is done again.
                folder
                    .clock
                    .set(folder.clock.now() + SignedDuration::from_mins(1));
                folder.risk(scenario.act, None);
                assert_outcome(&mut folder, scenario, &format!("{death:?}"));
            }
        }
    }
}

#[test]
fn killed_again_and_again_it_still_gets_there() {
    for scenario in &SCENARIOS {
        for done in [false, true] {
            let mut folder = (scenario.setup)();
            // Each life gets one write further, or dies where the last one did.
            for life in 0.. {
                assert!(life < 50, "{}: gets nowhere", scenario.name);
                let at = if done { 1 } else { 1 + life };
                if folder.risk(scenario.act, Some(Death { at, done })).1 {
                    break;
                }
            }
            assert_outcome(&mut folder, scenario, "after many deaths");
        }
    }
}
