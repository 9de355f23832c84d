//! Local mode's passes, and what they changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use getrandom::SysRng;
use sealward_operator::local::LocalMode;
use sealward_runtime::clock::SystemClock;
use tokio::task::spawn_blocking;

use super::DevError;
use super::manifests::Manifests;
use crate::report::KeyLine;

/// Brings the data folder to where the YAML wants it.
#[derive(Debug)]
pub(crate) struct Keeper {
    // Passes wait for disks and locks, so they run beside the thread that answers requests.
    state: Arc<Mutex<State>>,
    /// As of the last pass, by name.
    known: BTreeMap<String, KeyLine>,
}

#[derive(Debug)]
struct State {
    manifests: Manifests,
    mode: LocalMode<SystemClock, SysRng>,
}

impl Keeper {
    /// Reads the YAML. Touches nothing yet.
    pub(crate) fn open(paths: Vec<PathBuf>, data: &Path) -> Result<Self, DevError> {
        let mut manifests = Manifests::new(paths);
        let wanted = manifests.changed()?.unwrap_or_default();
        let mode = LocalMode::open(data, &wanted, SystemClock, SysRng)?;
        Ok(Self {
            state: Arc::new(Mutex::new(State { manifests, mode })),
            known: BTreeMap::new(),
        })
    }

    /// Reads the YAML again; whether it changed. What is refused leaves the last good in force.
    pub(crate) async fn read(&self) -> Result<bool, DevError> {
        self.beside(|state| {
            let Some(wanted) = state.manifests.changed()? else {
                return Ok(false);
            };
            state.mode.set_manifests(&wanted)?;
            Ok(true)
        })
        .await
    }

    /// One pass; the keys that are another way than after the one before.
    pub(crate) async fn pass(&mut self) -> Result<Vec<KeyLine>, DevError> {
        let reports = self.beside(|state| Ok(state.mode.pass()?)).await?;
        let lines = reports.iter().map(KeyLine::from);
        let now: BTreeMap<String, KeyLine> = lines.map(|line| (line.name.clone(), line)).collect();
        let changed = now
            .values()
            .filter(|line| self.known.get(&line.name) != Some(line))
            .cloned()
            .collect();
        self.known = now;
        Ok(changed)
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, DevError> + Send + 'static,
    ) -> Result<T, DevError> {
        let state = Arc::clone(&self.state);
        // Nothing is half done after a panic that the next pass would not find and finish.
        spawn_blocking(move || work(&mut state.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}
