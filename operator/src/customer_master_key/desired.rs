//! What is wanted of a CMK.

use jiff::Timestamp;
use sealward_crds::{Custody as SpecCustody, CustomerMasterKey, ROTATE_REQUESTED_AT};
use sealward_protocol::material::{Custody, Record, SpecSeen};
use sealward_protocol::names::{KeyName, NameError};

/// What an object of kind `CustomerMasterKey` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Which CMK.
    pub key: KeyName,
    /// Its spec.
    pub spec: SpecSeen,
    /// The value of the annotation that asks for a rotation.
    pub rotation_requested: Option<Timestamp>,
}

impl Desired {
    /// Takes an object apart that has passed its schema and rules. Without a namespace it belongs to `namespace`.
    pub fn parse(object: &CustomerMasterKey, namespace: &str) -> Result<Self, DesiredError> {
        let metadata = &object.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or(namespace);
        let key = KeyName::new(namespace, metadata.name.as_deref().unwrap_or_default())?;
        let annotation = metadata
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(ROTATE_REQUESTED_AT));
        let rotation_requested = match annotation {
            Some(value) => Some(value.parse().map_err(|_| DesiredError::RotationRequest {
                value: value.clone(),
            })?),
            None => None,
        };
        let spec = SpecSeen {
            enabled: object.spec.enabled,
            description: object.spec.description.clone(),
            rotation_days: object.spec.rotation_days,
            pending_deletion_days: object.spec.pending_deletion_days,
            custody: match object.spec.custody {
                SpecCustody::Sidecar => Custody::Sidecar,
                SpecCustody::Operator => Custody::Operator,
            },
        };
        Ok(Self {
            key,
            spec,
            rotation_requested,
        })
    }

    /// What was wanted when it was last seen.
    pub fn as_last_seen(key: KeyName, record: &Record) -> Self {
        Self {
            key,
            spec: record.spec.clone(),
            rotation_requested: None,
        }
    }
}

/// Whether the object is there. Absence is not deletion: whoever observes must know which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is, and asks for this.
    Present(Desired),
    /// It was deleted.
    Deleted {
        /// Days until destruction, where somebody said so; else as in the spec when it was last seen.
        pending_deletion_days: Option<u16>,
    },
    /// Nobody knows. The CMK goes on as it is, and is not destroyed.
    Unknown,
}

/// Why an object asks for nothing that can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DesiredError {
    /// A name that is none.
    #[error("metadata: {0}")]
    Name(#[from] NameError),
    /// An annotation that is no time.
    #[error(
        "metadata.annotations[{ROTATE_REQUESTED_AT}]: `{value}` is not a time like 2026-01-31T12:00:00Z (RFC 3339)"
    )]
    RotationRequest {
        /// What it is.
        value: String,
    },
}
