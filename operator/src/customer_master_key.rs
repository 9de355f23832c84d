//! The life of one CMK: what is wanted, what is there, and the next step from the one to the other.

use jiff::Timestamp;
use rand_core::TryCryptoRng;
use sealward_core::{RandomError, RootKey, SealError};
use sealward_protocol::names::{KeyName, RecordName};
use uuid::Uuid;

use crate::store::{Holding, Store, StoreError};

pub use desired::{Desired, DesiredError, Presence};
pub use observe::{Observed, RootKeyFit, StoredVersion};
pub use plan::{Finding, Plan, Step, plan};
pub use status::{CmkReport, failed, report};

mod apply;
mod desired;
mod observe;
mod plan;
mod status;

/// More than any CMK needs in one go: a rotation that was asked for takes three steps, and so does destruction.
const MAX_STEPS: usize = 16;

/// What reconciling takes from outside.
#[derive(Debug)]
pub struct Context<'a, S, R> {
    /// Where everything is kept.
    pub store: &'a S,
    /// What seals versions.
    pub root: &'a RootKey,
    /// Whether that is the root key which sealed what is there.
    pub root_fit: RootKeyFit,
    /// UID of the namespace that new CMKs belong to.
    pub namespace_uid: Uuid,
    /// Randomness for key ids and key material.
    pub rng: &'a mut R,
    /// The time.
    pub now: Timestamp,
}

/// Brings one CMK to where it should be, beginning with what was read of it, and says where it stands.
///
/// `other_namespace` says that there is key material of the same name of another namespace UID. `None` where there
/// is no such CMK, neither wanted nor stored.
pub async fn reconcile<S: Store, R: TryCryptoRng>(
    context: &mut Context<'_, S, R>,
    name: &RecordName,
    presence: &Presence,
    mut holding: Holding,
    other_namespace: bool,
) -> Result<Option<CmkReport>, ReconcileError> {
    for _ in 0..MAX_STEPS {
        let observed = Observed::new(holding, other_namespace, context.root, context.root_fit);
        let Plan { step, finding } = plan(presence, &observed, context.now);
        let Some(step) = step else {
            return Ok(report(name.key(), &observed, &finding));
        };
        match apply::apply(context, name, &observed, step).await {
            Err(ReconcileError::Store(error)) if error.is_race() => {}
            applied => applied?,
        }
        holding = context.store.holding(name).await?;
    }
    Err(ReconcileError::Unsettled {
        key: name.key().clone(),
    })
}

/// Why a CMK could not be brought to where it should be. What was done so far holds; doing it again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key id or no key material could be drawn.
    #[error("no new key material")]
    Random(#[from] RandomError),
    /// New key material could not be sealed.
    #[error("new key material could not be sealed")]
    Seal(#[from] SealError),
    /// Others keep changing it.
    #[error("{key} keeps being changed by somebody else; run it again")]
    Unsettled {
        /// The CMK.
        key: KeyName,
    },
}
