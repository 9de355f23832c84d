//! A source in memory, with faults on demand. For tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion, VersionKey};
use sealward_protocol::names::KeyName;
use sealward_runtime::shutdown::Shutdown;
use tokio::sync::watch;

use super::{Cmk, CmkState, KeySource, Pending, SourceError, SourceKind, SourceStatus, Wanted};

/// What the source does wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Each call takes this long.
    pub delay: Duration,
    /// Each call fails.
    pub unavailable: bool,
    /// Versions come with other bytes than before.
    pub wrong_bytes: bool,
    /// Versions that should be there are not.
    pub lost_versions: bool,
}

/// A source in memory. Clones are the same source.
#[derive(Clone, Debug)]
pub struct FakeSource {
    kind: SourceKind,
    state: Arc<Mutex<State>>,
    status: Arc<watch::Sender<SourceStatus>>,
    loads: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct State {
    cmks: BTreeMap<KeyId, Cmk>,
    faults: Faults,
}

impl FakeSource {
    /// A source without keys.
    pub fn new(kind: SourceKind) -> Self {
        Self {
            kind,
            state: Arc::default(),
            status: Arc::new(watch::Sender::new(SourceStatus::default())),
            loads: Arc::default(),
        }
    }

    /// Adds a CMK with one version.
    ///
    /// # Panics
    /// If the system has no random bytes.
    pub fn create(&self, name: KeyName) -> KeyId {
        let id = KeyId::generate(&mut getrandom::SysRng).expect("the system has random bytes");
        let cmk = Cmk {
            id,
            name,
            state: CmkState::Enabled,
            description: String::new(),
            rotates: false,
            created_at: Timestamp::UNIX_EPOCH,
            primary: None,
            versions: Vec::new(),
            unusable: Vec::new(),
            last_seen: None,
        };
        self.change(|state| state.cmks.insert(id, cmk));
        self.rotate(id);
        id
    }

    /// Adds a version and makes it primary.
    ///
    /// # Panics
    /// If the system has no random bytes.
    pub fn rotate(&self, id: KeyId) {
        self.update(id, |cmk| {
            let version = cmk
                .primary
                .map_or(Some(KeyVersion::FIRST), KeyVersion::next)
                .expect("few versions");
            let key = VersionKey::generate(id, version, &mut getrandom::SysRng)
                .expect("the system has random bytes");
            cmk.versions.push(Arc::new(key));
            cmk.primary = Some(version);
        });
    }

    /// Changes a CMK in any way. Does nothing if there is none of this id.
    pub fn update(&self, id: KeyId, change: impl FnOnce(&mut Cmk)) {
        self.change(|state| {
            if let Some(cmk) = state.cmks.get_mut(&id) {
                change(cmk);
            }
        });
    }

    /// Sets the state of a CMK; a destroyed one loses its versions.
    pub fn set_state(&self, id: KeyId, state: CmkState) {
        self.update(id, |cmk| {
            cmk.state = state;
            if matches!(state, CmkState::Destroyed { .. }) {
                cmk.versions.clear();
            }
        });
    }

    /// Forgets a CMK.
    pub fn forget(&self, id: KeyId) {
        self.change(|state| state.cmks.remove(&id));
    }

    /// Makes the source do things wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.change(|state| state.faults = faults);
    }

    /// Says that the source heard from whoever decides, at this monotonic time.
    pub fn confirm(&self, at: Duration) {
        self.status.send_modify(|status| status.confirmed_at = at);
    }

    /// How often [`KeySource::load`] was called.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.status.send_modify(|status| status.generation += 1);
    }

    async fn ask<T>(
        &self,
        answer: impl FnOnce(&State) -> Result<T, SourceError> + Send,
    ) -> Result<T, SourceError> {
        let faults = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .faults
            .clone();
        if !faults.delay.is_zero() {
            tokio::time::sleep(faults.delay).await;
        }
        if faults.unavailable {
            return Err(SourceError::Unavailable {
                reason: "injected fault".to_owned(),
            });
        }
        answer(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeySource for FakeSource {
    fn kind(&self) -> SourceKind {
        self.kind
    }

    fn load<'a>(&'a self, wanted: &'a Wanted) -> Pending<'a, Result<Arc<Cmk>, SourceError>> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Box::pin(self.ask(move |state| {
            let cmk = match wanted {
                Wanted::Id(id) => state.cmks.get(id),
                Wanted::Name(name) => state.cmks.values().find(|cmk| cmk.name == *name),
            };
            let mut cmk = cmk.cloned().ok_or(SourceError::Unknown)?;
            if state.faults.wrong_bytes {
                for key in &mut cmk.versions {
                    *key = Arc::new(VersionKey::new(cmk.id, key.version(), &[0x55; 32]));
                }
            }
            if state.faults.lost_versions {
                cmk.unusable = cmk.versions.drain(..).map(|key| key.version()).collect();
            }
            Ok(Arc::new(cmk))
        }))
    }

    fn list(&self) -> Pending<'_, Result<Vec<Arc<Cmk>>, SourceError>> {
        Box::pin(self.ask(|state| Ok(state.cmks.values().cloned().map(Arc::new).collect())))
    }

    fn status(&self) -> watch::Receiver<SourceStatus> {
        self.status.subscribe()
    }

    fn run(&self, shutdown: Shutdown) -> Pending<'_, ()> {
        Box::pin(async move { shutdown.requested().await })
    }
}

#[cfg(test)]
mod tests;
