//! What the operator and the sidecar share: how keys are named, what key material looks like at rest, and where it
//! lies in a data folder.
//!
//! The operator writes these documents and the sidecar of local mode reads them, so both go through the same checks:
//! a version is used only if its place, its context, the CMK's record and the seal agree ([`keyset`]).

pub mod folder;
pub mod keyset;
pub mod material;
pub mod names;
