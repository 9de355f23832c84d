//! A CMK as it may be served: its record, the versions that open, and what is wrong with the others.

use jiff::Timestamp;
use sealward_core::{KeyVersion, RootKey, VersionKey};

use crate::material::{Custody, DocumentError, MaterialError, Record, RecordState, SealedVersion};
use crate::names::VersionName;

/// A version as it was found in a store: a document, or why it is none.
pub type Found = (VersionName, Result<SealedVersion, DocumentError>);

/// A version that opened, and belongs where it was found.
#[derive(Debug)]
pub struct OpenVersion {
    /// The material.
    pub key: VersionKey,
    /// Where it may go.
    pub custody: Custody,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A version that is not served, and why.
#[derive(Debug)]
pub struct Fault {
    /// The version.
    pub version: KeyVersion,
    /// What is wrong with it.
    pub error: MaterialError,
}

/// One CMK: everything that was found of it, checked.
#[derive(Debug)]
pub struct KeySet {
    /// The record.
    pub record: Record,
    /// Versions that count and open, in order: these are served.
    pub versions: Vec<OpenVersion>,
    /// Versions that open and do not count yet, in order: a crash came between the two. Never served, because nothing
    /// says yet that they are there to stay.
    pub uncounted: Vec<OpenVersion>,
    /// Versions that are damaged, misplaced, or missing though they count, in order.
    pub faults: Vec<Fault>,
}

impl KeySet {
    /// Opens and checks what was found under the record's name.
    ///
    /// While versions move to a new root key there are two copies of each: one that this root key opens is enough.
    pub fn assemble(record: Record, root: &RootKey, found: Vec<Found>) -> Self {
        let mut set = Self {
            record,
            versions: Vec::new(),
            uncounted: Vec::new(),
            faults: Vec::new(),
        };
        for (name, document) in found {
            match open_in_place(&set.record, root, &name, document) {
                Ok(open) if set.opens(name.version) => drop(open),
                Ok(open) if set.record.counts(name.version) => set.versions.push(open),
                Ok(open) => set.uncounted.push(open),
                Err(error) => set.faults.push(Fault {
                    version: name.version,
                    error,
                }),
            }
        }
        let mut faults = std::mem::take(&mut set.faults);
        faults.retain(|fault| {
            let other_copy = matches!(fault.error, MaterialError::OtherRootKey { .. });
            !(other_copy && set.opens(fault.version))
        });
        set.faults = faults;
        set.add_missing();
        set.versions.sort_by_key(|open| open.key.version());
        set.uncounted.sort_by_key(|open| open.key.version());
        set.faults.sort_by_key(|fault| fault.version);
        set
    }

    /// The version that seals, unless it is faulty.
    pub fn primary(&self) -> Option<&OpenVersion> {
        let primary = self.record.primary_version()?;
        self.versions
            .iter()
            .find(|open| open.key.version() == primary)
    }

    fn opens(&self, version: KeyVersion) -> bool {
        self.versions
            .iter()
            .chain(&self.uncounted)
            .any(|open| open.key.version() == version)
    }

    /// What counts must be there, until destruction has begun.
    fn add_missing(&mut self) {
        if matches!(
            self.record.state,
            RecordState::Destroying | RecordState::Destroyed
        ) {
            return;
        }
        for counted in &self.record.versions {
            let version = counted.version;
            let seen =
                self.faults.iter().any(|fault| fault.version == version) || self.opens(version);
            if !seen {
                self.faults.push(Fault {
                    version,
                    error: MaterialError::Missing,
                });
            }
        }
    }
}

fn open_in_place(
    record: &Record,
    root: &RootKey,
    name: &VersionName,
    document: Result<SealedVersion, DocumentError>,
) -> Result<OpenVersion, MaterialError> {
    let sealed = document?;
    sealed.check_place(name, record)?;
    let key = sealed.open(root)?;
    Ok(OpenVersion {
        key,
        custody: sealed.context.custody,
        created_at: sealed.context.created_at,
    })
}
