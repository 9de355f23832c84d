//! Local mode: the planner on a folder of files, in place of an API server.
//!
//! The namespace UID is the id of the folder. A manifest that goes away deletes nothing: a CMK goes on as it was last
//! seen. `sealward delete` alone schedules deletion, and it holds, whatever the manifests say, until `sealward
//! restore`. A key that was destroyed stays destroyed under its name.
//!
//! Every call locks the folder, works on what it reads then, and lets go: `sealward delete` and `sealward restore`
//! work on the folder of a running `sealward dev`. All calls block; a pass takes a few milliseconds for each change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rand_core::TryCryptoRng;
use sealward_core::RandomError;
use sealward_crds::CustomerMasterKey;
use sealward_crds::manifest::DEFAULT_NAMESPACE;
use sealward_protocol::material::{Record, RecordState};
use sealward_protocol::names::{KeyName, RecordName};
use sealward_runtime::clock::Clock;
use uuid::Uuid;

use crate::customer_master_key::{
    CmkReport, Context, Desired, Presence, RootKeyFit, failed, reconcile,
};
use crate::root_key::{self, RootKeyError};
use crate::store::{FolderStore, HeldRecord, Holding, Inventory, Store};
use crate::wait::block_on;

pub use error::LocalError;
use error::Refusal;

mod error;

/// How long a call waits for another writer. A pass writes a few small files for each CMK that changes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The days between deletion and destruction that can be asked for, as in the schema of the CMK.
pub const PENDING_DELETION_DAYS: std::ops::RangeInclusive<u16> = 7..=1096;

/// A CMK as it was read from a YAML file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Where it was read, for messages: the path of the file.
    pub source: String,
    /// What it says, already checked by the schema and the rules of the CRD.
    pub object: CustomerMasterKey,
}

/// Local mode on one data folder.
#[derive(Debug)]
pub struct LocalMode<C, R> {
    data: PathBuf,
    wanted: BTreeMap<KeyName, Desired>,
    clock: C,
    rng: R,
    strays: Vec<String>,
}

impl<C: Clock, R: TryCryptoRng> LocalMode<C, R> {
    /// Checks the manifests. Touches nothing: the folder is made by the first [`pass`](Self::pass).
    pub fn open(
        data: impl Into<PathBuf>,
        manifests: &[Manifest],
        clock: C,
        rng: R,
    ) -> Result<Self, LocalError> {
        let wanted = parse_manifests(manifests)?;
        Ok(Self {
            data: data.into(),
            wanted,
            clock,
            rng,
            strays: Vec::new(),
        })
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Takes other manifests from the next pass on; the old ones stay in force where these are refused.
    pub fn set_manifests(&mut self, manifests: &[Manifest]) -> Result<(), LocalError> {
        self.wanted = parse_manifests(manifests)?;
        Ok(())
    }

    /// What the last pass found in the folder that is none of ours, in words.
    pub fn strays(&self) -> &[String] {
        &self.strays
    }

    /// Brings every CMK to where it should be: those of the manifests and those of the folder, in the order of their
    /// names. To be called at each start, whenever the manifests change, and now and then for what time brings
    /// (rotation by age, destruction).
    ///
    /// # Errors
    /// Where the folder cannot be used at all, or not written; what was done so far holds.
    pub fn pass(&mut self) -> Result<Vec<CmkReport>, LocalError> {
        let mut bytes = [0; 16];
        self.rng
            .try_fill_bytes(&mut bytes)
            .map_err(|_| RandomError)?;
        let store = FolderStore::open_or_init(&self.data, uuid_v4(bytes), PATIENCE)?;
        let now = self.now();
        let folder_id = store.install_id();
        let pass = block_on(pass(&store, folder_id, &self.wanted, &mut self.rng, now))?;
        self.strays = pass.strays;
        Ok(pass.keys)
    }

    /// Schedules a CMK for deletion, `days` from now or as many as its spec says.
    pub fn delete(&mut self, key: &KeyName, days: Option<u16>) -> Result<CmkReport, LocalError> {
        if let Some(days) = days.filter(|days| !PENDING_DELETION_DAYS.contains(days)) {
            return Err(LocalError::Days { days });
        }
        self.change(key, |record, _| to_delete(record, days))
    }

    /// Brings back a CMK that is scheduled for deletion, before it is due.
    pub fn restore(&mut self, key: &KeyName) -> Result<CmkReport, LocalError> {
        self.change(key, |record, now| to_restore(key, record, now))
    }

    fn change(
        &mut self,
        key: &KeyName,
        presence: impl FnOnce(&Record, Timestamp) -> Result<Presence, Refusal>,
    ) -> Result<CmkReport, LocalError> {
        let now = self.now();
        let store = FolderStore::open(&self.data, PATIENCE)?;
        let name = RecordName::new(key.clone(), store.install_id());
        let folder_id = store.install_id();
        block_on(change(
            &store,
            folder_id,
            &name,
            &mut self.rng,
            now,
            presence,
        ))
    }

    /// To the second: what is written is read by people, and has one spelling.
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// What a pass has seen.
struct Pass {
    keys: Vec<CmkReport>,
    strays: Vec<String>,
}

async fn pass<S: Store, R: TryCryptoRng>(
    store: &S,
    namespace_uid: Uuid,
    wanted: &BTreeMap<KeyName, Desired>,
    rng: &mut R,
    now: Timestamp,
) -> Result<Pass, LocalError> {
    let inventory = store.inventory().await?;
    let root = root_key::ensure(store, &inventory, rng, now).await?;
    let root_fit = RootKeyFit::of(&inventory, &root);
    let Inventory {
        mut holdings,
        mut strays,
    } = inventory;
    let foreign = extract_foreign(&mut holdings, namespace_uid);
    strays.extend(
        foreign
            .iter()
            .map(|name| format!("{name}: belongs to another data folder")),
    );
    for key in wanted.keys() {
        holdings
            .entry(RecordName::new(key.clone(), namespace_uid))
            .or_default();
    }
    let mut context = Context {
        store,
        root: &root,
        root_fit,
        namespace_uid,
        rng,
        now,
    };
    let mut keys = Vec::new();
    for (name, holding) in holdings {
        let key = name.key();
        let desired = wanted.get(key);
        let presence = presence(desired, &holding);
        let record = believed(&holding).cloned();
        let other_namespace = foreign.iter().any(|foreign| foreign.key() == key);
        let report = match reconcile(&mut context, &name, &presence, holding, other_namespace).await
        {
            Ok(report) => report,
            // One CMK must not keep the others from being looked after.
            Err(error) => Some(failed(key, record.as_ref(), &error)),
        };
        keys.extend(report.map(|report| in_local_words(report, desired.is_some())));
    }
    Ok(Pass { keys, strays })
}

/// Takes out what was not made in this folder: its namespace UID is another.
fn extract_foreign(
    holdings: &mut BTreeMap<RecordName, Holding>,
    namespace_uid: Uuid,
) -> Vec<RecordName> {
    let is_foreign = |name: &RecordName, holding: &mut Holding| {
        let by_name = *name != RecordName::new(name.key().clone(), namespace_uid);
        by_name || believed(holding).is_some_and(|record| record.namespace_uid != namespace_uid)
    };
    holdings
        .extract_if(.., is_foreign)
        .map(|(name, _)| name)
        .collect()
}

fn believed(holding: &Holding) -> Option<&Record> {
    holding.record.as_ref()?.document.as_ref().ok()
}

/// What local mode makes of a manifest, or of its absence.
fn presence(desired: Option<&Desired>, holding: &Holding) -> Presence {
    let state = believed(holding).map_or(RecordState::Active, |record| record.state);
    match (state, desired) {
        (RecordState::Active, Some(desired)) => Presence::Present(desired.clone()),
        (RecordState::Active, None) => Presence::Unknown,
        // `sealward delete` said so, and only `sealward restore` takes it back.
        _ => Presence::Deleted {
            pending_deletion_days: None,
        },
    }
}

async fn change<S: Store, R: TryCryptoRng>(
    store: &S,
    namespace_uid: Uuid,
    name: &RecordName,
    rng: &mut R,
    now: Timestamp,
    presence: impl FnOnce(&Record, Timestamp) -> Result<Presence, Refusal>,
) -> Result<CmkReport, LocalError> {
    let key = name.key();
    let inventory = store.inventory().await?;
    let root = store.root_key().await?.ok_or(RootKeyError::Missing)?;
    let root_fit = RootKeyFit::of(&inventory, &root);
    let holding = inventory
        .holdings
        .into_iter()
        .find_map(|(held, holding)| (held == *name).then_some(holding));
    let unknown = || LocalError::NoSuchKey { key: key.clone() };
    let holding = holding.ok_or_else(unknown)?;
    let presence = match &holding.record {
        Some(HeldRecord {
            document: Ok(record),
            ..
        }) => presence(record, now).map_err(|refusal| refusal.into_error(key, record))?,
        Some(HeldRecord {
            document: Err(_), ..
        }) => Presence::Unknown,
        None => return Err(unknown()),
    };
    let mut context = Context {
        store,
        root: &root,
        root_fit,
        namespace_uid,
        rng,
        now,
    };
    let report = reconcile(&mut context, name, &presence, holding, false).await;
    let report = report
        .map_err(|error| LocalError::Reconcile {
            key: key.clone(),
            error,
        })?
        .ok_or_else(unknown)?;
    match report.state {
        Some(_) => Ok(in_local_words(report, false)),
        None => Err(LocalError::Damaged {
            key: key.clone(),
            message: report.message,
        }),
    }
}

fn to_delete(record: &Record, days: Option<u16>) -> Result<Presence, Refusal> {
    match record.state {
        RecordState::Active => Ok(Presence::Deleted {
            pending_deletion_days: days,
        }),
        RecordState::PendingDeletion => Err(Refusal::AlreadyPending),
        RecordState::Destroying | RecordState::Destroyed => Err(Refusal::Destroyed),
    }
}

fn to_restore(key: &KeyName, record: &Record, now: Timestamp) -> Result<Presence, Refusal> {
    match record.state {
        RecordState::Active => Err(Refusal::NotPending),
        // The next pass destroys it.
        RecordState::PendingDeletion if record.destroy_at.is_some_and(|at| now >= at) => {
            Err(Refusal::Destroyed)
        }
        RecordState::PendingDeletion => Ok(Presence::Present(Desired::as_last_seen(
            key.clone(),
            record,
        ))),
        RecordState::Destroying | RecordState::Destroyed => Err(Refusal::Destroyed),
    }
}

/// Adds what to do about it here, where it is not done by applying an object.
fn in_local_words(report: CmkReport, wanted: bool) -> CmkReport {
    let CmkReport {
        key,
        message,
        state,
        ..
    } = &report;
    let message = match state {
        Some(RecordState::PendingDeletion) => {
            format!("{message}; `sealward restore {key}` brings it back")
        }
        Some(RecordState::Destroyed) if wanted => format!("{message}; give a new key another name"),
        _ => return report,
    };
    CmkReport { message, ..report }
}

fn parse_manifests(manifests: &[Manifest]) -> Result<BTreeMap<KeyName, Desired>, LocalError> {
    let mut wanted: BTreeMap<KeyName, (Desired, &str)> = BTreeMap::new();
    for Manifest { source, object } in manifests {
        let desired =
            Desired::parse(object, DEFAULT_NAMESPACE).map_err(|error| LocalError::Manifest {
                source_file: source.clone(),
                error,
            })?;
        let key = desired.key.clone();
        if let Some((_, first)) = wanted.insert(key.clone(), (desired, source)) {
            return Err(LocalError::Twice {
                key,
                first: first.to_owned(),
                second: source.clone(),
            });
        }
    }
    Ok(wanted
        .into_iter()
        .map(|(key, (desired, _))| (key, desired))
        .collect())
}

fn uuid_v4(random: [u8; 16]) -> Uuid {
    uuid::Builder::from_random_bytes(random).into_uuid()
}

#[cfg(test)]
mod tests;
