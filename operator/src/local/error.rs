//! What local mode answers where it cannot do what it was asked.

use jiff::Timestamp;
use sealward_core::RandomError;
use sealward_protocol::material::Record;
use sealward_protocol::names::KeyName;

use super::PENDING_DELETION_DAYS;
use crate::customer_master_key::{DesiredError, ReconcileError};
use crate::root_key::RootKeyError;
use crate::store::StoreError;

/// Why local mode could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A manifest that asks for nothing that can be done.
    #[error("{source_file}: {error}")]
    Manifest {
        /// The file.
        source_file: String,
        /// What is wrong with it.
        error: DesiredError,
    },
    /// Two manifests for one CMK.
    #[error("{key} is in {first} and again in {second}: keep one of them")]
    Twice {
        /// The CMK.
        key: KeyName,
        /// The first file.
        first: String,
        /// The second file, which may be the same.
        second: String,
    },
    /// The data folder could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// No id for the folder could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A CMK could not be brought to where it should be.
    #[error("{key}: {error}")]
    Reconcile {
        /// The CMK.
        key: KeyName,
        /// What stopped it.
        error: ReconcileError,
    },
    /// There is no such CMK.
    #[error(
        "there is no key {key} in this data folder; `sealward keys` lists those that there are"
    )]
    NoSuchKey {
        /// What was asked for.
        key: KeyName,
    },
    /// Its record cannot be believed.
    #[error("{key}: {message}")]
    Damaged {
        /// The CMK.
        key: KeyName,
        /// What is wrong.
        message: String,
    },
    /// Too few days, or too many.
    #[error(
        "a key is destroyed {} to {} days after its deletion, not {days}",
        PENDING_DELETION_DAYS.start(),
        PENDING_DELETION_DAYS.end()
    )]
    Days {
        /// What was asked for.
        days: u16,
    },
    /// It was deleted before.
    #[error(
        "{key} is deleted already, and destroyed at {destroy_at}; to change that, restore it first"
    )]
    AlreadyPending {
        /// The CMK.
        key: KeyName,
        /// When it is destroyed.
        destroy_at: Timestamp,
    },
    /// There is nothing to restore.
    #[error("{key} is not scheduled for deletion")]
    NotPending {
        /// The CMK.
        key: KeyName,
    },
    /// It is too late.
    #[error("{key} cannot be brought back: its waiting time is over, it was destroyed at {at}")]
    Destroyed {
        /// The CMK.
        key: KeyName,
        /// Since when.
        at: Timestamp,
    },
}

/// Why `sealward delete` or `sealward restore` does not fit the state of a CMK.
pub(super) enum Refusal {
    AlreadyPending,
    NotPending,
    Destroyed,
}

impl Refusal {
    pub(super) fn into_error(self, key: &KeyName, record: &Record) -> LocalError {
        let key = key.clone();
        let destroy_at = record.destroy_at.unwrap_or_default();
        match self {
            Self::AlreadyPending => LocalError::AlreadyPending { key, destroy_at },
            Self::NotPending => LocalError::NotPending { key },
            Self::Destroyed => LocalError::Destroyed {
                key,
                at: record.destroyed_at.unwrap_or(destroy_at),
            },
        }
    }
}
