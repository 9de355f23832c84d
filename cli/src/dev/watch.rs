//! Follows the YAML, the records and the time while the endpoint serves.

use std::time::{Duration, Instant};

use sealward_runtime::shutdown::Shutdown;
use sealward_sidecar::source::folder::FolderSource;
use sealward_sidecar::source::{KeySource, SourceStatus};
use tokio::sync::watch::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::keeper::Keeper;
use super::{DevError, announce};
use crate::output::{Output, chain};

/// How often the YAML is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How often a pass is made for what time alone brings: rotation by age, destruction.
const PASS: Duration = Duration::from_mins(1);

/// What is followed, and how far.
pub(crate) struct Watch {
    keeper: Keeper,
    source: FolderSource,
    folder: Receiver<SourceStatus>,
    output: Output,
    /// The state of the folder at the last pass.
    seen: u64,
    passed: Instant,
    /// A pass is still to be made.
    due: bool,
    /// The YAML changed, which is to be told of even if it changes nothing.
    unsaid: bool,
    /// The last error, so that it is printed once for as long as it lasts.
    complaint: Option<String>,
}

impl Watch {
    pub(crate) fn new(keeper: Keeper, source: FolderSource, output: Output) -> Self {
        let folder = source.status();
        let seen = folder.borrow().generation;
        Self {
            keeper,
            source,
            folder,
            output,
            seen,
            passed: Instant::now(),
            due: false,
            unsaid: false,
            complaint: None,
        }
    }

    /// Looks once a second until shutdown. An error is printed, and what was in force before stays in force.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) {
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.requested() => return,
                _ = ticks.tick() => {}
            }
            let error = self.look().await.err().map(|error| chain(&error));
            if let Some(error) = &error
                && self.complaint.as_ref() != Some(error)
            {
                self.output.error(error, None);
            }
            self.complaint = error;
        }
    }

    async fn look(&mut self) -> Result<(), DevError> {
        if self.keeper.read().await? {
            (self.due, self.unsaid) = (true, true);
        }
        let generation = self.folder.borrow().generation;
        // It stays due until it succeeds: a full disk may have room in a second.
        self.due |= generation != self.seen || self.passed.elapsed() >= PASS;
        if !self.due {
            return Ok(());
        }
        let changed = self.keeper.pass().await?;
        (self.due, self.seen, self.passed) = (false, generation, Instant::now());
        // What is said to be in force is in force. It reads files, which may take its time.
        let source = self.source.clone();
        if let Err(panic) = spawn_blocking(move || source.reload()).await {
            std::panic::resume_unwind(panic.into_panic());
        }
        if !changed.is_empty() || self.unsaid {
            // Who read the first lines and went away still wants to be served.
            let _ = announce::changed(&changed, self.output);
        }
        self.unsaid = false;
        Ok(())
    }
}
