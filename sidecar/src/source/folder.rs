//! Keys from a data folder, as `sealward dev` keeps it.
//!
//! The folder is looked at each second and read when it changed. What was loaded
//! once goes on being served when the folder or a file in it can no longer be
//! read: absence is not deletion.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealward_core::KeyId;
use sealward_protocol::folder::{FolderError, FolderLayout, Snapshot};
use sealward_protocol::keyset::KeySet;
use sealward_protocol::material::RecordState;
use sealward_protocol::names::KeyName;
use sealward_runtime::clock::Clock;
use sealward_runtime::shutdown::Shutdown;
use tokio::sync::watch;

use super::{Cmk, CmkState, KeySource, Pending, SourceError, SourceKind, SourceStatus, Wanted};

/// How often the folder is looked at: a key that was disabled is refused a second later.
const POLL: Duration = Duration::from_secs(1);

/// A file changed twice within one tick of the file system's clock looks unchanged
/// the second time. So what changed this recently is read again. 2 s is the
/// coarsest clock of a file system in use (FAT).
const CLOCK_TICK: Duration = Duration::from_secs(2);

/// Keys from a data folder. Clones are the same source.
#[derive(Clone)]
pub struct FolderSource(Arc<Inner>);

struct Inner {
    layout: FolderLayout,
    clock: Arc<dyn Clock>,
    loaded: Mutex<Loaded>,
    status: watch::Sender<SourceStatus>,
}

struct Loaded {
    install_id: String,
    cmks: BTreeMap<KeyId, Arc<Cmk>>,
    marks: Option<Vec<Mark>>,
    /// When the folder last was as it should be.
    confirmed_at: Duration,
}

/// What tells whether a file or folder changed. Everything in a data folder is
/// replaced by renaming, which changes its parent.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl FolderSource {
    /// Reads the folder.
    ///
    /// # Errors
    /// [`FolderError`]: it is none of ours, belongs to another release, has no root
    /// key, or cannot be read.
    pub fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, FolderError> {
        let layout = FolderLayout::new(path);
        // Before reading: what changes meanwhile is read again.
        let marks = marks(&layout).ok();
        let snapshot = layout.snapshot()?;
        let confirmed_at = clock.monotonic();
        let install_id = snapshot.marker.install_id.to_string();
        let (cmks, problem) = adopt(snapshot, &BTreeMap::new(), confirmed_at, layout.path());
        let marks = settled(marks, clock.as_ref());
        let status = SourceStatus {
            generation: 1,
            confirmed_at,
            problem,
        };
        Ok(Self(Arc::new(Inner {
            layout,
            clock,
            loaded: Mutex::new(Loaded {
                install_id,
                cmks,
                marks,
                confirmed_at,
            }),
            status: watch::Sender::new(status),
        })))
    }

    /// Looks at the folder now, and reads it if it changed. What is wrong with it is
    /// in the [status](KeySource::status) afterwards.
    pub fn reload(&self) {
        let inner = &self.0;
        let mut loaded = inner.lock();
        let seen = inner.look(&mut loaded);
        let confirmed_at = loaded.confirmed_at;
        drop(loaded);
        inner.status.send_modify(|status| {
            status.confirmed_at = confirmed_at;
            let problem = match seen {
                Seen::Same => return,
                Seen::Read(problem) => {
                    status.generation += 1;
                    problem
                }
                Seen::Nothing(problem) => Some(problem),
            };
            if status.problem != problem {
                if let Some(problem) = &problem {
                    tracing::warn!(%problem, "data folder");
                } else {
                    tracing::info!("data folder is well again");
                }
            }
            status.problem = problem;
        });
    }
}

/// What a look at the folder brought.
enum Seen {
    /// Nothing changed since it was read.
    Same,
    /// It was read; something may be wrong with some of its keys.
    Read(Option<String>),
    /// It could not be read, and why.
    Nothing(String),
}

impl Inner {
    fn look(&self, loaded: &mut Loaded) -> Seen {
        let now = self.clock.monotonic();
        let marks = match marks(&self.layout) {
            Ok(marks) => marks,
            Err(error) => {
                loaded.marks = None;
                return Seen::Nothing(format!("{}: {error}", self.layout.path().display()));
            }
        };
        if loaded.marks.as_ref() == Some(&marks) {
            loaded.confirmed_at = now;
            return Seen::Same;
        }
        loaded.marks = None;
        let snapshot = match self.layout.snapshot() {
            Ok(snapshot) => snapshot,
            Err(error) => return Seen::Nothing(describe(&error)),
        };
        if snapshot.marker.install_id.to_string() != loaded.install_id {
            return Seen::Nothing(format!(
                "{}: another data folder is in the place of the one that was loaded; restart to \
                 serve its keys",
                self.layout.path().display()
            ));
        }
        let (cmks, problem) = adopt(
            snapshot,
            &loaded.cmks,
            loaded.confirmed_at,
            self.layout.path(),
        );
        loaded.cmks = cmks;
        loaded.confirmed_at = now;
        loaded.marks = settled(Some(marks), self.clock.as_ref());
        Seen::Read(problem)
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for FolderSource {
    fn kind(&self) -> SourceKind {
        SourceKind::Folder
    }

    fn load<'a>(&'a self, wanted: &'a Wanted) -> Pending<'a, Result<Arc<Cmk>, SourceError>> {
        let loaded = self.0.lock();
        let cmk = match wanted {
            Wanted::Id(id) => loaded.cmks.get(id),
            Wanted::Name(name) => by_name(&loaded.cmks, name),
        };
        let answer = cmk.cloned().ok_or(SourceError::Unknown);
        Box::pin(std::future::ready(answer))
    }

    fn list(&self) -> Pending<'_, Result<Vec<Arc<Cmk>>, SourceError>> {
        let cmks = self.0.lock().cmks.values().cloned().collect();
        Box::pin(std::future::ready(Ok(cmks)))
    }

    fn status(&self) -> watch::Receiver<SourceStatus> {
        self.0.status.subscribe()
    }

    fn run(&self, shutdown: Shutdown) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut poll = tokio::time::interval(POLL);
            poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = shutdown.requested() => return,
                    _ = poll.tick() => {}
                }
                let source = self.clone();
                // A network file system may hang: not on the thread that answers.
                let looked = tokio::task::spawn_blocking(move || source.reload());
                tokio::select! {
                    () = shutdown.requested() => return,
                    result = looked => if let Err(error) = result {
                        tracing::error!(%error, "looking at the data folder failed");
                    },
                }
            }
        })
    }
}

/// The CMK of this name that is furthest from its end: an old one of the same name
/// may still be on record.
fn by_name<'a>(cmks: &'a BTreeMap<KeyId, Arc<Cmk>>, name: &KeyName) -> Option<&'a Arc<Cmk>> {
    cmks.values()
        .filter(|cmk| cmk.name == *name)
        .min_by_key(|cmk| match cmk.state {
            CmkState::Enabled | CmkState::Disabled => 0,
            CmkState::PendingDeletion { .. } => 1,
            CmkState::Destroyed { .. } => 2,
        })
}

/// What is served after a reading: what was read, and what was known and is not
/// there any more. With it, what is wrong, for people.
fn adopt(
    snapshot: Snapshot,
    known: &BTreeMap<KeyId, Arc<Cmk>>,
    seen: Duration,
    folder: &Path,
) -> (BTreeMap<KeyId, Arc<Cmk>>, Option<String>) {
    let mut problems: Vec<String> = snapshot
        .strays
        .iter()
        .map(|(path, error)| format!("{}: {error}", path.display()))
        .collect();
    let mut cmks = BTreeMap::new();
    for set in snapshot.keys {
        for fault in &set.faults {
            problems.push(format!(
                "version {} of {}/{}: {}",
                fault.version, set.record.namespace, set.record.name, fault.error
            ));
        }
        match cmk(set) {
            Ok(mut cmk) => {
                if let Some(old) = known.get(&cmk.id) {
                    for version in cmk.keep_from(old) {
                        problems.push(format!(
                            "version {version} of {} has other bytes than before; the known ones \
                             stay in use",
                            cmk.name
                        ));
                    }
                }
                cmks.insert(cmk.id, Arc::new(cmk));
            }
            Err(problem) => problems.push(problem),
        }
    }
    for (id, old) in known {
        if !cmks.contains_key(id) {
            problems.push(format!("the record of {} is gone", old.name));
            let mut kept = Cmk::clone(old);
            kept.last_seen = Some(old.last_seen.unwrap_or(seen));
            cmks.insert(*id, Arc::new(kept));
        }
    }
    let problem =
        (!problems.is_empty()).then(|| format!("{}: {}", folder.display(), problems.join("; ")));
    (cmks, problem)
}

fn cmk(set: KeySet) -> Result<Cmk, String> {
    let record = set.record;
    let name = record.key_name().map_err(|error| error.to_string())?;
    let destroy_at = record.destroy_at.unwrap_or_default();
    Ok(Cmk {
        id: record.key_id,
        name,
        state: match record.state {
            RecordState::Active if record.spec.enabled => CmkState::Enabled,
            RecordState::Active => CmkState::Disabled,
            RecordState::PendingDeletion => CmkState::PendingDeletion { destroy_at },
            RecordState::Destroying | RecordState::Destroyed => CmkState::Destroyed {
                at: record.destroyed_at.unwrap_or(destroy_at),
            },
        },
        primary: record.primary_version(),
        description: record.spec.description,
        rotates: record.spec.rotation_days.is_some(),
        created_at: record.created_at,
        versions: set
            .versions
            .into_iter()
            .map(|open| Arc::new(open.key))
            .collect(),
        unusable: set.faults.iter().map(|fault| fault.version).collect(),
        last_seen: None,
    })
}

/// An error and its causes in one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn marks(layout: &FolderLayout) -> io::Result<Vec<Mark>> {
    let needed = [layout.format(), layout.root_key()];
    let mut marks = Vec::with_capacity(4);
    for path in &needed {
        marks.push(mark(path).map_err(|error| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            io::Error::new(error.kind(), format!("{name}: {error}"))
        })?);
    }
    // May not be there yet. Reading the folder notices when they should be.
    for path in [layout.records(), layout.versions()] {
        marks.push(mark(&path).unwrap_or_default());
    }
    Ok(marks)
}

fn mark(path: &Path) -> io::Result<Mark> {
    let metadata = fs::metadata(path)?;
    Ok(Mark {
        device: metadata.dev(),
        inode: metadata.ino(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// The marks, unless something changed so recently that a further change would
/// not show.
fn settled(marks: Option<Vec<Mark>>, clock: &dyn Clock) -> Option<Vec<Mark>> {
    let now = clock.now().as_second();
    let tick = i64::try_from(CLOCK_TICK.as_secs()).unwrap_or(i64::MAX);
    marks.filter(|marks| marks.iter().all(|mark| (now - mark.changed.0).abs() > tick))
}

#[cfg(test)]
mod tests;
