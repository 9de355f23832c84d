//! The record of a CMK.

use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DocumentError, to_json};
use crate::names::{KeyName, NameError, RecordName};

/// The most versions a CMK has; then rotation is blocked.
pub const MAX_VERSIONS: usize = 100;

/// Where versions of a CMK may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Custody {
    /// Released to sidecars, which keep them in memory.
    Sidecar,
    /// Never leave the operator.
    Operator,
}

impl Custody {
    /// As in the spec of a CMK and in the seal of a version.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sidecar => "Sidecar",
            Self::Operator => "Operator",
        }
    }
}

/// Where a CMK is in its life. It goes down this list only, but for `PendingDeletion`, from which it can come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordState {
    /// In use, or disabled by its spec.
    Active,
    /// Refuses use; destroyed at `destroyAt` unless it is restored.
    PendingDeletion,
    /// Its versions are being deleted: it cannot come back.
    Destroying,
    /// Its versions are gone. The record stays, to say so.
    Destroyed,
}

/// What the spec of a CMK said when it was last seen: in force while the object cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecSeen {
    /// `false`: every use is refused.
    pub enabled: bool,
    /// For people; at most 255 characters, possibly empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Days after which a version is followed by a new one; `None`: never by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation_days: Option<u16>,
    /// Days between deletion and destruction.
    pub pending_deletion_days: u16,
    /// What holds for versions made from now on. Never goes back to `Sidecar`.
    pub custody: Custody,
}

/// A version that counts: its sealed copy was stored, read back and opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountedVersion {
    /// Its number.
    pub version: KeyVersion,
    /// When it was made, as in its seal.
    pub created_at: Timestamp,
    /// Where it may go, as in its seal.
    pub custody: Custody,
}

/// A rotation that somebody asked for, and the version that fulfils it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationRequest {
    /// The value of the annotation.
    pub requested_at: Timestamp,
    /// At least this version fulfils it.
    pub version: KeyVersion,
}

/// What is known of one CMK, also when its object is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Of the CMK, for its whole life; in every ciphertext.
    pub key_id: KeyId,
    /// Namespace of the CMK.
    pub namespace: String,
    /// Name of the CMK.
    pub name: String,
    /// UID of the namespace; in local mode, the id of the folder.
    pub namespace_uid: Uuid,
    /// Where it is in its life.
    pub state: RecordState,
    /// The highest number that ever counted; none is made at or below it. Absent until version 1 counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest_version: Option<KeyVersion>,
    /// All versions that count, in order. Kept after destruction.
    pub versions: Vec<CountedVersion>,
    /// Rotations asked for, each value once; the last one may still be waiting for its version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotation_requests: Vec<RotationRequest>,
    /// The spec as last seen.
    pub spec: SpecSeen,
    /// When the CMK was made.
    pub created_at: Timestamp,
    /// When its deletion was asked for; with [`RecordState::PendingDeletion`] and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_requested_at: Option<Timestamp>,
    /// When it is destroyed; with [`RecordState::PendingDeletion`] and later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy_at: Option<Timestamp>,
    /// When its last version was gone; with [`RecordState::Destroyed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed_at: Option<Timestamp>,
}

impl Record {
    /// The record with which a CMK begins: no version of it counts yet.
    pub fn new(
        key_id: KeyId,
        key: &KeyName,
        namespace_uid: Uuid,
        spec: SpecSeen,
        created_at: Timestamp,
    ) -> Self {
        Self {
            key_id,
            namespace: key.namespace().to_owned(),
            name: key.name().to_owned(),
            namespace_uid,
            state: RecordState::Active,
            highest_version: None,
            versions: Vec::new(),
            rotation_requests: Vec::new(),
            spec,
            created_at,
            deletion_requested_at: None,
            destroy_at: None,
            destroyed_at: None,
        }
    }

    /// Parses and checks a record that was found under `name`.
    pub fn parse(json: &[u8], name: &RecordName) -> Result<Self, DocumentError> {
        let record: Self = serde_json::from_slice(json).map_err(DocumentError::Json)?;
        record.check(name)?;
        Ok(record)
    }

    /// As it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The name of the CMK.
    pub fn key_name(&self) -> Result<KeyName, NameError> {
        KeyName::new(self.namespace.as_str(), self.name.as_str())
    }

    /// The version that seals: the newest that counts.
    pub fn primary_version(&self) -> Option<KeyVersion> {
        self.versions.last().map(|counted| counted.version)
    }

    /// Whether this version counts.
    pub fn counts(&self, version: KeyVersion) -> bool {
        self.versions
            .iter()
            .any(|counted| counted.version == version)
    }

    /// What a record must be for the rest of the code to believe it.
    fn check(&self, name: &RecordName) -> Result<(), DocumentError> {
        let own_name = RecordName::new(self.key_name()?, self.namespace_uid);
        if own_name != *name {
            return Err(DocumentError::Misplaced {
                is: own_name.to_string(),
            });
        }
        if !self.versions.is_sorted_by(|a, b| a.version < b.version) {
            return Err(DocumentError::Inconsistent {
                what: "versions are not in order",
            });
        }
        if self.versions.is_empty() != self.highest_version.is_none() {
            return Err(DocumentError::Inconsistent {
                what: "highestVersion and versions disagree",
            });
        }
        if self.primary_version() > self.highest_version {
            return Err(DocumentError::Inconsistent {
                what: "a version is above highestVersion",
            });
        }
        if self.versions.len() > MAX_VERSIONS {
            return Err(DocumentError::Inconsistent {
                what: "there are more than 100 versions",
            });
        }
        let dated = self.deletion_requested_at.is_some() && self.destroy_at.is_some();
        if dated == (self.state == RecordState::Active) {
            return Err(DocumentError::Inconsistent {
                what: "state and dates of deletion disagree",
            });
        }
        if self.destroyed_at.is_some() != (self.state == RecordState::Destroyed) {
            return Err(DocumentError::Inconsistent {
                what: "state and destroyedAt disagree",
            });
        }
        Ok(())
    }
}
