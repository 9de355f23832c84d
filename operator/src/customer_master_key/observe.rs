//! What is stored of a CMK, opened and checked.

use sealward_core::{KeyId, RootKey};
use sealward_protocol::keyset::{Fault, KeySet};
use sealward_protocol::material::{CountedVersion, DocumentError, Record, RecordState};
use sealward_protocol::names::VersionName;

use crate::store::{HeldRecord, HeldVersion, Holding, Inventory, Revision};

/// Whether the root key at hand is the one that sealed what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKeyFit {
    /// It opens something, or there is nothing that it should open.
    Fits,
    /// There is, or was, key material, and it opens none of it: nothing may be made under it.
    Unproven,
}

impl RootKeyFit {
    /// Looks at all that is stored: one version that opens is proof.
    pub fn of(inventory: &Inventory, root: &RootKey) -> Self {
        let holdings = || inventory.holdings.values();
        let sealed = holdings()
            .flat_map(|holding| &holding.versions)
            .filter_map(|held| held.document.as_ref().ok());
        if sealed.into_iter().any(|sealed| sealed.open(root).is_ok())
            || holdings().all(never_had_material)
        {
            Self::Fits
        } else {
            Self::Unproven
        }
    }
}

fn never_had_material(holding: &Holding) -> bool {
    let none_counts = match &holding.record {
        None => true,
        Some(HeldRecord {
            document: Ok(record),
            ..
        }) => record.highest_version.is_none() || record.state == RecordState::Destroyed,
        Some(HeldRecord {
            document: Err(_), ..
        }) => false,
    };
    none_counts && holding.versions.is_empty()
}

/// What there is of one CMK.
#[derive(Debug)]
pub struct Observed {
    /// Its record and what was read, or why that cannot be believed; `None` if there is none.
    pub record: Option<Result<(Record, Revision), DocumentError>>,
    /// Versions that count and open, in order.
    pub versions: Vec<CountedVersion>,
    /// Versions that open and do not count, in order.
    pub uncounted: Vec<CountedVersion>,
    /// What is wrong with the others, in order.
    pub faults: Vec<Fault>,
    /// All that is stored under its name, whatever is in it.
    pub stored: Vec<StoredVersion>,
    /// Whether there is key material of a CMK of the same name in a namespace of the same name with another UID.
    pub other_namespace: bool,
    /// Whether anything may be made.
    pub root_fit: RootKeyFit,
}

/// A sealed version as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// What it is stored as.
    pub name: VersionName,
    /// What was read.
    pub revision: Revision,
    /// Which key it says it belongs to; `None` if it says nothing.
    pub key_id: Option<KeyId>,
}

impl Observed {
    /// Opens and checks what was read. The key material itself is not kept.
    pub fn new(
        holding: Holding,
        other_namespace: bool,
        root: &RootKey,
        root_fit: RootKeyFit,
    ) -> Self {
        let stored = holding.versions.iter().map(StoredVersion::of).collect();
        let mut observed = Self {
            record: None,
            versions: Vec::new(),
            uncounted: Vec::new(),
            faults: Vec::new(),
            stored,
            other_namespace,
            root_fit,
        };
        match holding.record {
            None => {}
            Some(HeldRecord {
                document: Err(error),
                ..
            }) => observed.record = Some(Err(error)),
            Some(HeldRecord {
                document: Ok(record),
                revision,
            }) => {
                let found = holding
                    .versions
                    .into_iter()
                    .map(|held| (held.name, held.document))
                    .collect();
                let set = KeySet::assemble(record, root, found);
                let counted = |open: &sealward_protocol::keyset::OpenVersion| CountedVersion {
                    version: open.key.version(),
                    created_at: open.created_at,
                    custody: open.custody,
                };
                observed.versions = set.versions.iter().map(counted).collect();
                observed.uncounted = set.uncounted.iter().map(counted).collect();
                observed.faults = set.faults;
                observed.record = Some(Ok((set.record, revision)));
            }
        }
        observed
    }
}

impl StoredVersion {
    fn of(held: &HeldVersion) -> Self {
        let key_id = held
            .document
            .as_ref()
            .ok()
            .map(|sealed| sealed.context.key_id);
        Self {
            name: held.name.clone(),
            revision: held.revision.clone(),
            key_id,
        }
    }
}
