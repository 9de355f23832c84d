//! The kind `CustomerMasterKey`, version v1alpha1.
//!
//! The doc comments of the spec and status types are what `kubectl explain cmk` prints.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::MaxStaleness;
use crate::schema::as_kubernetes_expects;

/// Annotation that asks for a rotation now: an RFC 3339 time, honoured once per value.
pub const ROTATE_REQUESTED_AT: &str = "sealward.dev/rotate-requested-at";

/// How many versions a CMK can have; then rotation stops with [`reason::ROTATION_BLOCKED`].
pub const MAX_VERSIONS: usize = 100;

/// The one condition type of a CMK: whether it can be used.
pub const CONDITION_READY: &str = "Ready";

/// Reasons that the condition [`CONDITION_READY`] gives; each says which status it comes with.
pub mod reason {
    /// True: the CMK seals and opens.
    pub const READY: &str = "Ready";
    /// True: the CMK seals and opens, but it has [`MAX_VERSIONS`](super::MAX_VERSIONS) versions
    /// and is not rotated any more.
    pub const ROTATION_BLOCKED: &str = "RotationBlocked";
    /// False: `spec.enabled` is false; nothing is lost.
    pub const DISABLED: &str = "Disabled";
    /// False: the object was deleted and the key can still be brought back.
    pub const PENDING_DELETION: &str = "PendingDeletion";
    /// False: the key material was destroyed on the date in the message.
    pub const DESTROYED: &str = "Destroyed";
    /// False: the CMK had key material once and it is not there; none is made in its place.
    pub const KEY_MATERIAL_MISSING: &str = "KeyMaterialMissing";
    /// False: stored key material does not agree with itself, or does not open.
    pub const MATERIAL_DAMAGED: &str = "MaterialDamaged";
    /// False: the key belongs to an earlier namespace of the same name.
    pub const NAMESPACE_CHANGED: &str = "NamespaceChanged";
    /// False: the root key is not there; put back, it heals the CMK.
    pub const ROOT_KEY_MISSING: &str = "RootKeyMissing";
    /// False: there is a root key, but not the one that sealed this CMK.
    pub const ROOT_KEY_MISMATCH: &str = "RootKeyMismatch";
    /// Unknown: the operator has not worked on this generation of the object yet.
    pub const RECONCILING: &str = "Reconciling";
}

/// What is wanted of a customer master key.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "sealward.dev",
    version = "v1alpha1",
    kind = "CustomerMasterKey",
    plural = "customermasterkeys",
    shortname = "cmk",
    category = "sealward",
    namespaced,
    status = "CustomerMasterKeyStatus",
    derive = "PartialEq",
    doc = "A customer master key (CMK): encrypts small data, and the data keys that encrypt large data. \
           Deleting the object schedules its key material for destruction; applying it again before that brings it back.",
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("metadata.name must be no more than 63 characters"),
    validation = Rule::new("!self.metadata.name.contains('.')")
        .message("metadata.name must be one DNS label, without dots"),
    selectable = ".spec.enabled",
    selectable = ".spec.custody",
    selectable = ".status.keyId",
    printcolumn(name = "KEY-ID", type_ = "string", json_path = ".status.keyId",
        description = "UUID of the key, written in every ciphertext"),
    printcolumn(name = "PRIMARY", type_ = "integer", json_path = ".status.primaryVersion",
        description = "The version that seals"),
    printcolumn(name = "STATE", type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why the key can or cannot be used"),
    printcolumn(name = "READY", type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the key can be used"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = as_kubernetes_expects)]
pub struct CustomerMasterKeySpec {
    /// What the key is for, in words; at most 255 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 255))]
    pub description: String,

    /// Whether the key may be used. False refuses every use, to encrypt and to decrypt; nothing is
    /// lost, and true allows use again.
    #[serde(default = "enabled")]
    pub enabled: bool,

    /// Days after which a new version seals; earlier versions keep opening what they sealed.
    /// Absent: the key is rotated only on request, by the annotation
    /// sealward.dev/rotate-requested-at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2560))]
    pub rotation_days: Option<u16>,

    /// Days for which a deleted key can still be brought back, by applying the object again.
    /// After that its key material is destroyed, and what it encrypted is gone.
    #[serde(default = "pending_deletion_days")]
    #[schemars(range(min = 7, max = 1096))]
    pub pending_deletion_days: u16,

    /// Where the key material is used. Sidecar: released to authorised sidecars, which keep it in
    /// memory, so that use costs no network. Operator: it never leaves the operator, and sidecars
    /// ask for one message key at a time. It may move from Sidecar to Operator (for versions made
    /// after that; a rotation is due at once), never back.
    #[serde(default)]
    #[x_kube(validation = Rule::new("oldSelf != 'Operator' || self == 'Operator'")
        .message("custody may move from Sidecar to Operator, never back"))]
    pub custody: Custody,

    /// Whether the key has a public key, with which anybody can seal offline. Not available yet:
    /// must be false.
    #[serde(default)]
    #[x_kube(validation = Rule::new("!self")
        .message("public sealing is not available in this version of Sealward; leave it false"))]
    pub public_sealing: bool,

    /// For how long a sidecar may use the key without hearing from the operator: a duration from
    /// 5m to 720h, such as 24h or 1h30m.
    #[serde(default)]
    #[x_kube(validation = Rule::new(MaxStaleness::RULE).message(MaxStaleness::MESSAGE))]
    pub max_staleness: MaxStaleness,
}

impl Default for CustomerMasterKeySpec {
    fn default() -> Self {
        Self {
            description: String::new(),
            enabled: enabled(),
            rotation_days: None,
            pending_deletion_days: pending_deletion_days(),
            custody: Custody::default(),
            public_sealing: false,
            max_staleness: MaxStaleness::default(),
        }
    }
}

fn enabled() -> bool {
    true
}

fn pending_deletion_days() -> u16 {
    30
}

/// Where key material is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Custody {
    /// Released to authorised sidecars, which keep it in memory.
    #[default]
    Sidecar,
    /// Never leaves the operator.
    Operator,
}

/// What is known of a customer master key. Written by the operator only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = as_kubernetes_expects)]
pub struct CustomerMasterKeyStatus {
    /// The generation of the object that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// UUID of the key, in every ciphertext. Written once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"))]
    pub key_id: Option<String>,

    /// The version that seals. All listed versions open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub primary_version: Option<u32>,

    /// The versions of the key, oldest first; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "MAX_VERSIONS"))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["version".into()]))]
    pub versions: Vec<VersionStatus>,

    /// The public key of the primary version, in base64, where spec.publicSealing is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,

    /// The condition Ready says whether the key can be used, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// One version of a customer master key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = as_kubernetes_expects)]
pub struct VersionStatus {
    /// The number of the version, from 1. No number is ever used twice.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// When its key material was made.
    pub created_at: Time,
}
