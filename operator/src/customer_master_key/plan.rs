//! Decides the next step of a CMK. Pure: no client, no clock, no randomness.

use jiff::{SignedDuration, Timestamp};
use sealward_core::{KeyId, KeyVersion};
use sealward_protocol::material::{
    Custody, MAX_VERSIONS, MaterialError, Record, RecordState, RotationRequest,
};
use sealward_protocol::names::VersionName;

use super::desired::{Desired, Presence};
use super::observe::{Observed, RootKeyFit};
use crate::store::Revision;

/// What to do next, and what there is to say once nothing is left to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// One step; what comes after it is planned on what is read back.
    pub step: Option<Step>,
    /// Where the CMK stands.
    pub finding: Finding,
}

/// A change to what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin a CMK: a record with a new key id and no version.
    CreateRecord(Desired),
    /// Write this in place of the record that was read.
    ReplaceRecord(Box<Record>),
    /// Make and seal new key material under this number, as the stored record says. It counts only when it has been
    /// read back.
    CreateVersion(KeyVersion),
    /// Destroy these, if they are still what was read.
    DeleteVersions(Vec<(VersionName, Revision)>),
}

/// Where a CMK stands: the worst that is true of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Neither object nor record.
    Absent,
    /// Work goes on.
    Reconciling,
    /// It seals and opens.
    Ready,
    /// It seals and opens, and is not rotated any more.
    RotationBlocked,
    /// Every use is refused, by its spec.
    Disabled,
    /// Use is refused; it can be brought back until then.
    PendingDeletion {
        /// When it is destroyed.
        destroy_at: Timestamp,
    },
    /// Its versions are being deleted, and these stop it: they say that they are of another key.
    DestructionBlocked(Vec<VersionName>),
    /// Its key material is gone.
    Destroyed {
        /// Since when.
        at: Timestamp,
    },
    /// There are versions and no record that says what they are.
    RecordMissing,
    /// The record cannot be believed.
    RecordDamaged,
    /// There is a CMK of this name that belongs to a namespace with another UID.
    NamespaceChanged,
    /// Versions that count are missing; all the others are well.
    MaterialMissing,
    /// Versions are damaged, or lie where they do not belong.
    MaterialDamaged,
    /// The root key is not the one that sealed this CMK.
    RootKeyMismatch,
}

impl Plan {
    fn rest(finding: Finding) -> Self {
        Self {
            step: None,
            finding,
        }
    }

    fn step(step: Step) -> Self {
        Self {
            step: Some(step),
            finding: Finding::Reconciling,
        }
    }

    fn replace(record: Record) -> Self {
        Self::step(Step::ReplaceRecord(Box::new(record)))
    }
}

/// Decides the next step of a CMK.
///
/// A version is primary only when its sealed copy was read back and opened: a version is made in one step, counted by
/// the record in the next, and sealed under after that. No step makes a number that the record or the store has seen,
/// and none makes anything where material is missing or the root key has not proven itself, unless somebody asked.
///
/// `destroyAt` is what the record says, and nothing postpones it: in local mode a CMK can be restored at any time
/// with nothing running. An operator that was away passes [`Presence::Unknown`] until it may destroy again.
pub fn plan(presence: &Presence, observed: &Observed, now: Timestamp) -> Plan {
    let record = match &observed.record {
        None => return plan_without_record(presence, observed),
        Some(Err(_)) => return Plan::rest(Finding::RecordDamaged),
        Some(Ok((record, _))) => record,
    };
    match record.state {
        RecordState::Active => plan_active(presence, record, observed, now),
        RecordState::PendingDeletion => plan_pending(presence, record, now),
        RecordState::Destroying => plan_destroying(record, observed, now),
        RecordState::Destroyed => Plan::rest(Finding::Destroyed {
            at: record.destroyed_at.unwrap_or(now),
        }),
    }
}

fn plan_without_record(presence: &Presence, observed: &Observed) -> Plan {
    if !observed.stored.is_empty() {
        return Plan::rest(Finding::RecordMissing);
    }
    match (presence, observed.root_fit) {
        (Presence::Present(_), _) if observed.other_namespace => {
            Plan::rest(Finding::NamespaceChanged)
        }
        (Presence::Present(_), RootKeyFit::Unproven) => Plan::rest(Finding::RootKeyMismatch),
        (Presence::Present(desired), RootKeyFit::Fits) => {
            Plan::step(Step::CreateRecord(desired.clone()))
        }
        (Presence::Deleted { .. } | Presence::Unknown, _) => Plan::rest(Finding::Absent),
    }
}

fn plan_active(presence: &Presence, record: &Record, observed: &Observed, now: Timestamp) -> Plan {
    if let Presence::Deleted {
        pending_deletion_days,
    } = presence
    {
        return Plan::replace(scheduled_for_deletion(record, *pending_deletion_days, now));
    }
    let mut next = record.clone();
    adopt_versions(&mut next, observed);
    let requested = match presence {
        Presence::Present(desired) => {
            adopt_spec(&mut next, desired);
            desired.rotation_requested
        }
        Presence::Deleted { .. } | Presence::Unknown => None,
    };
    if next != *record {
        return Plan::replace(next);
    }
    if record.highest_version.is_none() {
        return plan_first_version(observed);
    }
    let finding = find(record, observed);
    if !record.spec.enabled || observed.versions.is_empty() {
        // A disabled CMK keeps waiting for its rotation; one of which nothing opens is not begun anew.
        return Plan::rest(finding);
    }
    let unmet = requested.filter(|value| {
        !record
            .rotation_requests
            .iter()
            .any(|known| known.requested_at == *value)
    });
    if unmet.is_none() && !rotation_is_due(record, observed, now) {
        return Plan::rest(finding);
    }
    let number = next_number(record, observed).filter(|_| record.versions.len() < MAX_VERSIONS);
    match (number, unmet) {
        (None, _) if finding == Finding::Ready => Plan::rest(Finding::RotationBlocked),
        (None, _) => Plan::rest(finding),
        (Some(version), Some(requested_at)) => {
            next.rotation_requests.push(RotationRequest {
                requested_at,
                version,
            });
            Plan::replace(next)
        }
        (Some(version), None) => Plan::step(Step::CreateVersion(version)),
    }
}

/// Version 1 did not count yet: it is made if nothing is there, and no other number ever is.
fn plan_first_version(observed: &Observed) -> Plan {
    if !observed.faults.is_empty() {
        return Plan::rest(find_faults(observed));
    }
    match observed.root_fit {
        RootKeyFit::Fits => Plan::step(Step::CreateVersion(KeyVersion::FIRST)),
        RootKeyFit::Unproven => Plan::rest(Finding::RootKeyMismatch),
    }
}

fn plan_pending(presence: &Presence, record: &Record, now: Timestamp) -> Plan {
    let destroy_at = record.destroy_at.unwrap_or(Timestamp::MAX);
    let mut next = record.clone();
    match presence {
        Presence::Deleted { .. } | Presence::Present(_) if now >= destroy_at => {
            next.state = RecordState::Destroying;
        }

        Presence::Unknown | Presence::Deleted { .. } => {
            return Plan::rest(Finding::PendingDeletion { destroy_at });
        }
        Presence::Present(desired) => {
            next.state = RecordState::Active;
            next.deletion_requested_at = None;
            next.destroy_at = None;
            adopt_spec(&mut next, desired);
        }
    }
    Plan::replace(next)
}

/// Everything stored under the name of a CMK is destroyed with it, but for what says that it is of another key: files
/// that were exchanged by mistake must not take the wrong key with them.
fn plan_destroying(record: &Record, observed: &Observed, now: Timestamp) -> Plan {
    let is_foreign = |key_id: Option<KeyId>| key_id.is_some_and(|key_id| key_id != record.key_id);
    let (foreign, own): (Vec<_>, Vec<_>) = observed
        .stored
        .iter()
        .partition(|stored| is_foreign(stored.key_id));
    if !own.is_empty() {
        let own = own
            .into_iter()
            .map(|stored| (stored.name.clone(), stored.revision.clone()))
            .collect();
        return Plan::step(Step::DeleteVersions(own));
    }
    if !foreign.is_empty() {
        return Plan::rest(Finding::DestructionBlocked(
            foreign
                .into_iter()
                .map(|stored| stored.name.clone())
                .collect(),
        ));
    }
    let mut next = record.clone();
    next.state = RecordState::Destroyed;
    next.destroyed_at = Some(now);
    Plan::replace(next)
}

fn scheduled_for_deletion(record: &Record, days: Option<u16>, now: Timestamp) -> Record {
    let mut next = record.clone();
    next.state = RecordState::PendingDeletion;
    next.deletion_requested_at = Some(now);
    next.destroy_at = Some(after_days(
        now,
        days.unwrap_or(record.spec.pending_deletion_days),
    ));
    next
}

/// Counts versions that are stored and above all that ever counted: somebody was stopped, or overtaken, between
/// storing and counting them.
fn adopt_versions(next: &mut Record, observed: &Observed) {
    for uncounted in &observed.uncounted {
        if Some(uncounted.version) > next.highest_version && next.versions.len() < MAX_VERSIONS {
            next.highest_version = Some(uncounted.version);
            next.versions.push(uncounted.clone());
        }
    }
}

/// Takes over the spec; custody goes one way.
fn adopt_spec(next: &mut Record, desired: &Desired) {
    let custody = match next.spec.custody {
        Custody::Operator => Custody::Operator,
        Custody::Sidecar => desired.spec.custody,
    };
    next.spec = desired.spec.clone();
    next.spec.custody = custody;
}

/// Whether a new version is due without anybody asking now.
fn rotation_is_due(record: &Record, observed: &Observed, now: Timestamp) -> bool {
    if record
        .rotation_requests
        .iter()
        .any(|request| Some(request.version) > record.highest_version)
    {
        return true;
    }
    // Never by itself while something is wrong: whoever repairs it should find it as it was.
    let Some(newest) = record
        .versions
        .last()
        .filter(|_| observed.faults.is_empty())
    else {
        return false;
    };
    let aged = record
        .spec
        .rotation_days
        .is_some_and(|days| now >= after_days(newest.created_at, days));
    aged || (newest.custody == Custody::Sidecar && record.spec.custody == Custody::Operator)
}

/// Above all that counted and all that is stored, whatever is in it.
fn next_number(record: &Record, observed: &Observed) -> Option<KeyVersion> {
    let stored = observed
        .stored
        .iter()
        .map(|stored| stored.name.version)
        .max();
    record
        .highest_version
        .max(stored)
        .map_or(Some(KeyVersion::FIRST), KeyVersion::next)
}

/// Where an active CMK stands that has a version that counts.
fn find(record: &Record, observed: &Observed) -> Finding {
    // What opens, does not count and is not above what counts was never made by us.
    let unexplained = !observed.uncounted.is_empty();
    match () {
        () if !observed.faults.is_empty() => find_faults(observed),
        () if observed.versions.is_empty() => Finding::MaterialMissing,
        () if unexplained => Finding::MaterialDamaged,
        () if !record.spec.enabled => Finding::Disabled,
        () if record.versions.len() >= MAX_VERSIONS => Finding::RotationBlocked,
        () => Finding::Ready,
    }
}

fn find_faults(observed: &Observed) -> Finding {
    let all = |is: fn(&MaterialError) -> bool| observed.faults.iter().all(|fault| is(&fault.error));
    if all(|error| matches!(error, MaterialError::Missing)) {
        Finding::MaterialMissing
    } else if all(|error| matches!(error, MaterialError::OtherRootKey { .. })) {
        Finding::RootKeyMismatch
    } else {
        Finding::MaterialDamaged
    }
}

fn after_days(from: Timestamp, days: u16) -> Timestamp {
    let duration = SignedDuration::from_hours(i64::from(days) * 24);
    from.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
