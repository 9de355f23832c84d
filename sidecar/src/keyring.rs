//! The keys that this process has: bounded, not older than allowed, and fetched
//! once however many callers ask at the same time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use sealward_core::KeyId;
use sealward_protocol::names::KeyName;
use sealward_runtime::clock::Clock;
use sealward_runtime::readiness::{Condition, Gate};
use sealward_runtime::shutdown::Shutdown;
use thiserror::Error;
use tokio::sync::{OnceCell, watch};

use crate::source::{Cmk, KeySource, SourceError, SourceStatus, Wanted};

/// How long "no such key" is remembered. Long enough that a caller in a loop costs
/// the source nothing, short enough that nobody waits for a key just made.
const NEGATIVE: Duration = Duration::from_secs(2);

/// How many such answers are remembered.
const NEGATIVES: usize = 256;

/// What bounds a [`Keyring`].
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// CMKs held; beyond that the one not used for longest is dropped, to be
    /// fetched again when it is asked for.
    pub keys: usize,
    /// How long a CMK may be used after the source last heard from whoever decides.
    pub staleness: Duration,
    /// How long a caller waits for the source.
    pub load_deadline: Duration,
}

/// Why a CMK cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FindError {
    /// There is none, or not for us.
    #[error("no such key")]
    Unknown,
    /// The source did not say.
    #[error("{0}")]
    Unavailable(String),
}

type Load = Arc<OnceCell<Result<Arc<Cmk>, SourceError>>>;

/// The keys of this process.
pub struct Keyring {
    source: Arc<dyn KeySource>,
    status: watch::Receiver<SourceStatus>,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    held: Mutex<Held>,
    /// Orders uses, to find the CMK not used for longest.
    uses: AtomicU64,
    count: Gauge,
}

#[derive(Default)]
struct Held {
    by_id: HashMap<KeyId, Entry>,
    ids: HashMap<KeyName, KeyId>,
    loads: HashMap<Wanted, Load>,
    /// With the monotonic time until which the answer holds.
    unknown: HashMap<Wanted, Duration>,
}

struct Entry {
    cmk: Arc<Cmk>,
    last_use: AtomicU64,
}

impl Keyring {
    /// An empty keyring. `count` is kept at the number of CMKs held.
    pub fn new(
        source: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
        count: Gauge,
    ) -> Self {
        let status = source.status();
        let (held, uses) = (Mutex::default(), AtomicU64::new(0));
        Self {
            source,
            status,
            clock,
            bounds,
            held,
            uses,
            count,
        }
    }

    /// Where the keys come from.
    pub fn source(&self) -> &dyn KeySource {
        self.source.as_ref()
    }

    /// A CMK, from here or from the source. Its state is for the caller to check.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find(&self, wanted: &Wanted) -> Result<Arc<Cmk>, FindError> {
        if let Some(cmk) = self.held_one(wanted)? {
            return Ok(cmk);
        }
        let loaded = tokio::time::timeout(self.bounds.load_deadline, self.load(wanted)).await;
        match loaded {
            Ok(Ok(cmk)) => self.check_fresh(&cmk).map(|()| cmk),
            Ok(Err(SourceError::Unknown)) => Err(FindError::Unknown),
            Ok(Err(SourceError::Unavailable { reason })) => Err(FindError::Unavailable(reason)),
            Err(_) => Err(FindError::Unavailable(
                "the source of keys does not answer".to_owned(),
            )),
        }
    }

    /// Fetches again what is held whenever the source changed, and tells `gate`
    /// how the source is.
    pub async fn follow(&self, gate: &Gate, shutdown: Shutdown) {
        let mut status = self.status.clone();
        let mut generation = None;
        // Staleness comes by itself, without a change.
        let mut check = tokio::time::interval(Duration::from_secs(5));
        loop {
            let seen = status.borrow_and_update().clone();
            if generation != Some(seen.generation) {
                generation = Some(seen.generation);
                self.refresh().await;
            }
            self.tell(gate, &seen);
            tokio::select! {
                () = shutdown.requested() => return,
                changed = status.changed() => if changed.is_err() { return },
                _ = check.tick() => {}
            }
        }
    }

    fn tell(&self, gate: &Gate, status: &SourceStatus) {
        let condition = match (&status.problem, self.is_stale(status.confirmed_at)) {
            (None, false) => Condition::Ready,
            (Some(problem), false) => Condition::Degraded(problem.clone()),
            (problem, true) => Condition::NotReady(format!(
                "keys are older than {} s: {}",
                self.bounds.staleness.as_secs(),
                problem.as_deref().unwrap_or("no word from their source")
            )),
        };
        gate.set(condition);
    }

    fn held_one(&self, wanted: &Wanted) -> Result<Option<Arc<Cmk>>, FindError> {
        let held = self.lock();
        let id = match wanted {
            Wanted::Id(id) => Some(id),
            Wanted::Name(name) => held.ids.get(name),
        };
        if let Some(entry) = id.and_then(|id| held.by_id.get(id)) {
            entry
                .last_use
                .store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            let cmk = Arc::clone(&entry.cmk);
            drop(held);
            return self.check_fresh(&cmk).map(|()| Some(cmk));
        }
        match held.unknown.get(wanted) {
            Some(until) if self.clock.monotonic() < *until => Err(FindError::Unknown),
            _ => Ok(None),
        }
    }

    fn check_fresh(&self, cmk: &Cmk) -> Result<(), FindError> {
        let confirmed_at = cmk
            .last_seen
            .unwrap_or_else(|| self.status.borrow().confirmed_at);
        if self.is_stale(confirmed_at) {
            return Err(FindError::Unavailable(format!(
                "nobody has confirmed for {} s that this key may be used",
                self.bounds.staleness.as_secs()
            )));
        }
        Ok(())
    }

    fn is_stale(&self, confirmed_at: Duration) -> bool {
        self.clock.monotonic().saturating_sub(confirmed_at) > self.bounds.staleness
    }

    /// Asks the source, together with everybody else who wants the same.
    async fn load(&self, wanted: &Wanted) -> Result<Arc<Cmk>, SourceError> {
        let load = Arc::clone(self.lock().loads.entry(wanted.clone()).or_default());
        let waiter = Waiter {
            ring: self,
            wanted,
            load,
        };
        // Where the caller that asks goes away, the next one that waits asks.
        let answer = waiter.load.get_or_init(|| async {
            let answer = self.source.load(wanted).await.map(|cmk| self.admit(cmk));
            if matches!(answer, Err(SourceError::Unknown)) {
                self.remember_unknown(wanted);
            }
            answer
        });
        answer.await.clone()
    }

    /// Takes a CMK in, and returns it as it is to be used.
    fn admit(&self, cmk: Arc<Cmk>) -> Arc<Cmk> {
        let mut held = self.lock();
        let cmk = match held.by_id.get(&cmk.id) {
            Some(entry) if !Arc::ptr_eq(&entry.cmk, &cmk) => {
                let mut merged = Arc::unwrap_or_clone(cmk);
                for version in merged.keep_from(&entry.cmk) {
                    tracing::error!(
                        key = %merged.id, %version,
                        "the source of keys has other bytes for a version that is in use; the \
                         known ones stay in use"
                    );
                }
                Arc::new(merged)
            }
            _ => cmk,
        };
        if !held.by_id.contains_key(&cmk.id) && held.by_id.len() >= self.bounds.keys {
            held.drop_least_used();
        }
        held.ids.insert(cmk.name.clone(), cmk.id);
        let last_use = AtomicU64::new(self.uses.fetch_add(1, Ordering::Relaxed));
        held.by_id.insert(
            cmk.id,
            Entry {
                cmk: Arc::clone(&cmk),
                last_use,
            },
        );
        held.unknown.remove(&Wanted::Id(cmk.id));
        held.unknown.remove(&Wanted::Name(cmk.name.clone()));
        self.count
            .set(i64::try_from(held.by_id.len()).unwrap_or(i64::MAX));
        cmk
    }

    fn remember_unknown(&self, wanted: &Wanted) {
        let now = self.clock.monotonic();
        let mut held = self.lock();
        if held.unknown.len() >= NEGATIVES {
            held.unknown.retain(|_, until| now < *until);
        }
        if held.unknown.len() < NEGATIVES {
            held.unknown.insert(wanted.clone(), now + NEGATIVE);
        }
    }

    async fn refresh(&self) {
        let ids: Vec<_> = {
            let mut held = self.lock();
            held.unknown.clear();
            // A name may lead to another CMK now.
            held.ids.clear();
            held.by_id.keys().copied().collect()
        };
        for id in ids {
            match self.source.load(&Wanted::Id(id)).await {
                Ok(cmk) => drop(self.admit(cmk)),
                Err(SourceError::Unknown) => self.forget(id),
                // It stays in use until it is stale.
                Err(SourceError::Unavailable { .. }) => {}
            }
        }
    }

    fn forget(&self, id: KeyId) {
        let mut held = self.lock();
        held.by_id.remove(&id);
        held.ids.retain(|_, named| *named != id);
        self.count
            .set(i64::try_from(held.by_id.len()).unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who wait for a load. The last one, or the first after it is done,
/// removes it: also when it is given up.
struct Waiter<'a> {
    ring: &'a Keyring,
    wanted: &'a Wanted,
    load: Load,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut held = self.ring.lock();
        let current = held
            .loads
            .get(self.wanted)
            .is_some_and(|load| Arc::ptr_eq(load, &self.load));
        // The map has one, we have one.
        let last = Arc::strong_count(&self.load) <= 2;
        if current && (last || self.load.initialized()) {
            held.loads.remove(self.wanted);
        }
    }
}

impl Held {
    fn drop_least_used(&mut self) {
        let least = self
            .by_id
            .iter()
            .min_by_key(|(_, entry)| entry.last_use.load(Ordering::Relaxed))
            .map(|(id, _)| *id);
        if let Some(id) = least {
            self.by_id.remove(&id);
            self.ids.retain(|_, named| *named != id);
        }
    }
}

#[cfg(test)]
mod tests;
