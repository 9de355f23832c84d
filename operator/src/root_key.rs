//! The embedded root key: made once, and never because one is merely missing.

use jiff::Timestamp;
use rand_core::TryCryptoRng;
use sealward_core::{KeyId, KeyVersion, RandomError, RootKey};
use sealward_protocol::material::RootKeyDocument;

use crate::store::{Inventory, Store, StoreError};

/// The root key. Makes one if there is none and nothing at all that one could have sealed: a first install.
///
/// `inventory` was read after it was made sure that nobody else writes.
pub(crate) async fn ensure<S: Store, R: TryCryptoRng>(
    store: &S,
    inventory: &Inventory,
    rng: &mut R,
    now: Timestamp,
) -> Result<RootKey, RootKeyError> {
    if let Some(root) = store.root_key().await? {
        return Ok(root);
    }
    if !inventory.holdings.is_empty() || !inventory.strays.is_empty() {
        return Err(RootKeyError::Missing);
    }
    let root = RootKey::generate(KeyId::generate(rng)?, KeyVersion::FIRST, rng)?;
    match store
        .create_root_key(&RootKeyDocument::new(&root, now))
        .await
    {
        Err(error) if error.is_race() => {}
        done => done?,
    }
    // What counts is what is stored, whoever stored it.
    store.root_key().await?.ok_or(RootKeyError::Missing)
}

/// Why there is no root key to work with.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// None could be drawn.
    #[error("no new root key")]
    Random(#[from] RandomError),
    /// It is not there, and was once.
    #[error(
        "the root key is missing, but there are keys that it sealed: put it back from a backup; no other one is made"
    )]
    Missing,
}
