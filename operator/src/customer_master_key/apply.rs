//! Carries out one step. What was written counts only when it has been read back.

use jiff::Timestamp;
use rand_core::TryCryptoRng;
use sealward_core::{KeyId, KeyVersion, VersionKey};
use sealward_protocol::material::{Record, RotationRequest, SealedVersion, VersionContext};
use sealward_protocol::names::RecordName;
use uuid::Uuid;

use super::{Context, Desired, Observed, ReconcileError, Step};
use crate::store::Store;

pub(super) async fn apply<S: Store, R: TryCryptoRng>(
    context: &mut Context<'_, S, R>,
    name: &RecordName,
    observed: &Observed,
    step: Step,
) -> Result<(), ReconcileError> {
    match (step, &observed.record) {
        (Step::CreateRecord(desired), _) => {
            let key_id = KeyId::generate(context.rng)?;
            let record = new_record(key_id, desired, context.namespace_uid, context.now);
            context.store.create_record(name, &record).await?;
        }
        (Step::ReplaceRecord(record), Some(Ok((_, seen)))) => {
            context.store.replace_record(name, &record, seen).await?;
        }
        (Step::CreateVersion(version), Some(Ok((record, _)))) => {
            create_version(context, name, record, version).await?;
        }
        (Step::DeleteVersions(versions), _) => {
            for (version, seen) in versions {
                context.store.delete_version(&version, &seen).await?;
            }
        }
        // A plan writes no record and makes no version where it has seen no record.
        (Step::ReplaceRecord(_) | Step::CreateVersion(_), None | Some(Err(_))) => {}
    }
    Ok(())
}

async fn create_version<S: Store, R: TryCryptoRng>(
    context: &mut Context<'_, S, R>,
    name: &RecordName,
    record: &Record,
    version: KeyVersion,
) -> Result<(), ReconcileError> {
    let key = VersionKey::generate(record.key_id, version, context.rng)?;
    let bound = VersionContext::new(record, version, context.now);
    let sealed = SealedVersion::seal(context.root, &key, bound, context.rng)?;
    context
        .store
        .create_version(&name.version(version, context.root.version()), &sealed)
        .await?;
    Ok(())
}

fn new_record(key_id: KeyId, desired: Desired, namespace_uid: Uuid, now: Timestamp) -> Record {
    // A rotation that was asked for before there was anything to rotate is fulfilled by the first version.
    let requests = desired
        .rotation_requested
        .map(|requested_at| RotationRequest {
            requested_at,
            version: KeyVersion::FIRST,
        });
    let mut record = Record::new(key_id, &desired.key, namespace_uid, desired.spec, now);
    record.rotation_requests.extend(requests);
    record
}
