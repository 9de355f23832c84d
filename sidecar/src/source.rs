//! Where keys come from.
//!
//! A source knows CMKs and releases their versions. It says when it last heard
//! from whoever decides about them; how long a key may be used without such word
//! is the [keyring](crate::keyring)'s business. Every source passes the same
//! [conformance] suite.

pub mod conformance;
pub mod fake;
pub mod folder;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealward_core::{EncryptionContext, KeyId, KeyVersion, VersionKey};
use sealward_protocol::names::KeyName;
use sealward_runtime::shutdown::Shutdown;
use thiserror::Error;
use tokio::sync::watch;

/// A future behind a trait object. Sources are asked for keys that are not there
/// yet, so an allocation does not matter.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where keys come from.
pub trait KeySource: Send + Sync + 'static {
    /// What callers are told about operations that are done elsewhere.
    fn kind(&self) -> SourceKind;

    /// Fetches a CMK with all its versions.
    ///
    /// # Errors
    /// [`SourceError`]; that a CMK is disabled or pending is no error but its state.
    fn load<'a>(&'a self, wanted: &'a Wanted) -> Pending<'a, Result<Arc<Cmk>, SourceError>>;

    /// The CMKs that may be listed, in the order of their ids.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`].
    fn list(&self) -> Pending<'_, Result<Vec<Arc<Cmk>>, SourceError>>;

    /// Says when something changed, and how fresh the source's knowledge is.
    fn status(&self) -> watch::Receiver<SourceStatus>;

    /// Does the source's own work, such as polling, until `shutdown`.
    fn run(&self, shutdown: Shutdown) -> Pending<'_, ()>;
}

/// Who decides about the keys of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A data folder, by YAML files and `sealward`.
    Folder,
    /// A cluster, by its API and `kubectl`.
    Cluster,
}

/// A CMK that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// By the id that is in its ciphertexts.
    Id(KeyId),
    /// By name.
    Name(KeyName),
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => write!(f, "alias/{name}"),
        }
    }
}

/// How a source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// Grows whenever a CMK may have changed.
    pub generation: u64,
    /// When the source last heard from whoever decides, by the monotonic clock.
    pub confirmed_at: Duration,
    /// What is wrong, for people; `None` if nothing is.
    pub problem: Option<String>,
}

/// Why a CMK could not be had.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// There is none, or not for us.
    #[error("no such key")]
    Unknown,
    /// It cannot be said at the moment.
    #[error("{reason}")]
    Unavailable {
        /// What failed, for the log and the caller.
        reason: String,
    },
}

/// Whether a CMK may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmkState {
    /// It may.
    Enabled,
    /// It may not, and nothing is lost.
    Disabled,
    /// It may not, and will be destroyed.
    PendingDeletion {
        /// When.
        destroy_at: Timestamp,
    },
    /// It is gone.
    Destroyed {
        /// Since when.
        at: Timestamp,
    },
}

/// A CMK and its versions, as a source releases them.
#[derive(Clone, Debug)]
pub struct Cmk {
    /// In every ciphertext.
    pub id: KeyId,
    /// Namespace and name.
    pub name: KeyName,
    /// Whether it may be used.
    pub state: CmkState,
    /// As in its spec.
    pub description: String,
    /// Whether it rotates by itself.
    pub rotates: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The version that seals; `None` before the first is stored.
    pub primary: Option<KeyVersion>,
    /// Versions that open, in order.
    pub versions: Vec<Arc<VersionKey>>,
    /// Versions that should be here and cannot be used: damaged, or missing.
    pub unusable: Vec<KeyVersion>,
    /// Where the source no longer sees this CMK but has not heard that it is gone:
    /// when it saw it last, by the monotonic clock.
    pub last_seen: Option<Duration>,
}

impl Cmk {
    /// One of its versions, if it is there.
    pub fn version(&self, version: KeyVersion) -> Option<&Arc<VersionKey>> {
        // At most 100, and nearly always the last is meant.
        self.versions
            .iter()
            .rev()
            .find(|key| key.version() == version)
    }

    /// The version that seals, if it is there.
    pub fn primary(&self) -> Option<&Arc<VersionKey>> {
        self.primary.and_then(|version| self.version(version))
    }

    /// Takes over, from what was known of the same CMK, what a source must not
    /// change: the bytes of a version, and a version that it can no longer read.
    /// Returns the versions whose bytes differed.
    pub(crate) fn keep_from(&mut self, known: &Self) -> Vec<KeyVersion> {
        let mut differed = Vec::new();
        for old in &known.versions {
            let version = old.version();
            if let Some(new) = self
                .versions
                .iter_mut()
                .find(|key| key.version() == version)
            {
                if !same_bytes(new, old) {
                    differed.push(version);
                }
                *new = Arc::clone(old);
            } else if self.unusable.contains(&version) {
                self.unusable.retain(|lost| *lost != version);
                self.versions.push(Arc::clone(old));
            }
        }
        self.versions.sort_by_key(|key| key.version());
        differed
    }
}

/// Whether two keys are the same, by a value derived from their bytes.
fn same_bytes(one: &VersionKey, other: &VersionKey) -> bool {
    let none = EncryptionContext::none();
    one.context_hash(&none) == other.context_hash(&none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cmk(versions: &[(u32, u8)], unusable: &[u32]) -> Cmk {
        let id = KeyId::from_bytes([7; 16]);
        let number = |number| KeyVersion::new(number).unwrap();
        Cmk {
            id,
            name: "shop/web".parse().unwrap(),
            state: CmkState::Enabled,
            description: String::new(),
            rotates: false,
            created_at: Timestamp::UNIX_EPOCH,
            primary: versions.last().map(|(version, _)| number(*version)),
            versions: versions
                .iter()
                .map(|(version, byte)| {
                    Arc::new(VersionKey::new(id, number(*version), &[*byte; 32]))
                })
                .collect(),
            unusable: unusable.iter().copied().map(number).collect(),
            last_seen: None,
        }
    }

    fn numbers(cmk: &Cmk) -> Vec<u32> {
        cmk.versions.iter().map(|key| key.version().get()).collect()
    }

    #[test]
    fn never_replaces_the_bytes_of_a_known_version() {
        let known = cmk(&[(1, 1), (2, 2)], &[]);
        let mut new = cmk(&[(1, 1), (2, 9), (3, 3)], &[]);
        assert_eq!(new.keep_from(&known), [KeyVersion::new(2).unwrap()]);
        assert_eq!(numbers(&new), [1, 2, 3]);
        assert!(Arc::ptr_eq(&new.versions[1], &known.versions[1]));
    }

    #[test]
    fn keeps_a_version_that_can_no_longer_be_read() {
        let known = cmk(&[(1, 1), (2, 2)], &[]);
        let mut new = cmk(&[(2, 2)], &[1]);
        assert_eq!(new.keep_from(&known), []);
        assert_eq!(numbers(&new), [1, 2]);
        assert!(new.unusable.is_empty());
    }

    #[test]
    fn drops_a_version_that_no_longer_counts() {
        let mut new = cmk(&[], &[]);
        new.keep_from(&cmk(&[(1, 1)], &[]));
        assert!(new.versions.is_empty());
    }
}
