//! The API types of sealward.dev, their rules, and the YAML generated from them.
//!
//! [`CustomerMasterKey`] is the one kind so far. Its schema and CEL rules are derived from the Rust types and
//! written to `customermasterkey.yaml`, which clusters install ([`CUSTOMERMASTERKEY_YAML`]).
//!
//! Local mode has no API server, but must take the same files and refuse the same mistakes. So
//! [`admit`] and [`validate`] apply the *same generated schema* and the *same CEL rules* to a JSON
//! object, and [`manifest::parse`] reads YAML files as `kubectl apply --validate=strict` would. The files in
//! `tests/data` are examples of both outcomes, which a real API server judges alike.

#[expect(
    unreachable_pub,
    reason = "the derive repeats the types, with their visibility, inside a function"
)]
mod customer_master_key;
mod duration;
pub mod manifest;
mod schema;
mod validate;

pub use customer_master_key::{
    CONDITION_READY, Custody, CustomerMasterKey, CustomerMasterKeySpec, CustomerMasterKeyStatus,
    MAX_VERSIONS, ROTATE_REQUESTED_AT, VersionStatus, reason,
};
pub use duration::{MaxStaleness, MaxStalenessError};
pub use schema::{CUSTOMERMASTERKEY_YAML, generate};
pub use validate::{Problem, Violation, admit, validate};
