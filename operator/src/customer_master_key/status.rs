//! Says where a CMK stands: the condition `Ready`, in words.

use jiff::Timestamp;
use sealward_core::{KeyId, KeyVersion};
use sealward_crds::reason;
use sealward_protocol::material::{CountedVersion, Custody, Record, RecordState};
use sealward_protocol::names::{KeyName, VersionName};

use super::ReconcileError;
use super::observe::Observed;
use super::plan::Finding;

/// How many faulty versions a message names.
const NAMED_FAULTS: usize = 3;

/// Where one CMK stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmkReport {
    /// Its name.
    pub key: KeyName,
    /// Its id; `None` where there is no record that can be believed.
    pub key_id: Option<KeyId>,
    /// Where it is in its life; `None` where there is no record that can be believed.
    pub state: Option<RecordState>,
    /// The version that seals.
    pub primary_version: Option<KeyVersion>,
    /// The versions that count, in order.
    pub versions: Vec<CountedVersion>,
    /// Status of the condition `Ready`: whether it may be used and everything is there.
    pub ready: bool,
    /// Reason of the condition, one of [`sealward_crds::reason`].
    pub reason: &'static str,
    /// Message of the condition: what is the matter, and what to do about it.
    pub message: String,
    /// When it is destroyed, or was to be.
    pub destroy_at: Option<Timestamp>,
}

/// The report on a CMK of which nothing is left to do; `None` if there is none.
pub fn report(key: &KeyName, observed: &Observed, finding: &Finding) -> Option<CmkReport> {
    let condition = condition(observed, finding)?;
    Some(of_record(key, believed(observed), condition))
}

/// The report on a CMK that could not be brought to where it should be: as it was when it was read.
pub fn failed(key: &KeyName, record: Option<&Record>, error: &ReconcileError) -> CmkReport {
    of_record(key, record, (false, reason::RECONCILING, error.to_string()))
}

fn of_record(
    key: &KeyName,
    record: Option<&Record>,
    (ready, reason, message): (bool, &'static str, String),
) -> CmkReport {
    CmkReport {
        key: key.clone(),
        key_id: record.map(|record| record.key_id),
        state: record.map(|record| record.state),
        primary_version: record.and_then(Record::primary_version),
        versions: record
            .map(|record| record.versions.clone())
            .unwrap_or_default(),
        ready,
        reason,
        message,
        destroy_at: record.and_then(|record| record.destroy_at),
    }
}

fn condition(observed: &Observed, finding: &Finding) -> Option<(bool, &'static str, String)> {
    Some(match finding {
        Finding::Absent => return None,
        Finding::Reconciling => (false, reason::RECONCILING, "not done yet".to_owned()),
        Finding::Ready => (true, reason::READY, in_use(observed)),
        Finding::RotationBlocked => (
            true,
            reason::ROTATION_BLOCKED,
            format!("{}; it has as many versions as a key can have: make a new key and re-encrypt", in_use(observed)),
        ),
        Finding::Disabled => {
            (false, reason::DISABLED, "spec.enabled is false: every use is refused, nothing is lost".to_owned())
        }
        Finding::PendingDeletion { destroy_at } => {
            (false, reason::PENDING_DELETION, format!("every use is refused; it is destroyed at {destroy_at}"))
        }
        Finding::DestructionBlocked(foreign) => (
            false,
            reason::MATERIAL_DAMAGED,
            format!(
                "it is being destroyed, but {} say that they are of another key: put them back where they belong",
                list(foreign)
            ),
        ),
        Finding::Destroyed { at } => (
            false,
            reason::DESTROYED,
            format!("the key was destroyed at {at}: what it encrypted cannot be decrypted any more"),
        ),
        Finding::RecordMissing => (
            false,
            reason::KEY_MATERIAL_MISSING,
            "there are sealed versions of this key but no record of it: put the record back from a backup; nothing is made in its place".to_owned(),
        ),
        Finding::NamespaceChanged => (
            false,
            reason::NAMESPACE_CHANGED,
            "there is a key of this name that belongs to another namespace of the same name, or to another data folder; nothing is made".to_owned(),
        ),
        Finding::RecordDamaged => (false, reason::MATERIAL_DAMAGED, record_damaged(observed)),
        Finding::MaterialMissing => (
            false,
            reason::KEY_MATERIAL_MISSING,
            format!("{}: put it back from a backup; nothing is made in its place", faults(observed)),
        ),
        Finding::MaterialDamaged => (
            false,
            reason::MATERIAL_DAMAGED,
            format!("{}: put it back from a backup; until then it is not used, and not replaced", faults(observed)),
        ),
        Finding::RootKeyMismatch => (false, reason::ROOT_KEY_MISMATCH, root_key_mismatch(observed)),
    })
}

fn believed(observed: &Observed) -> Option<&Record> {
    observed
        .record
        .as_ref()?
        .as_ref()
        .ok()
        .map(|(record, _)| record)
}

fn in_use(observed: &Observed) -> String {
    let Some(record) = believed(observed) else {
        return String::new();
    };
    let primary = record
        .primary_version()
        .map(|version| format!("version {version} seals"))
        .unwrap_or_default();
    if record.spec.custody == Custody::Sidecar {
        return primary;
    }
    let out = record
        .versions
        .iter()
        .filter(|counted| counted.custody == Custody::Sidecar);
    let out: Vec<String> = out.map(|counted| counted.version.to_string()).collect();
    if out.is_empty() {
        primary
    } else {
        format!(
            "{primary}; sidecars may have had version {}",
            out.join(", ")
        )
    }
}

fn record_damaged(observed: &Observed) -> String {
    match &observed.record {
        Some(Err(error)) => format!("its record {error}: put it back from a backup"),
        Some(Ok(_)) | None => String::new(),
    }
}

fn root_key_mismatch(observed: &Observed) -> String {
    let what = match &observed.faults[..] {
        [] => "the root key opens nothing of what is stored".to_owned(),
        _ => faults(observed),
    };
    format!("{what}: put the right root key back; until then no key material is made")
}

/// Names the first faults: versions that do not open, and such as open and are not on record.
fn faults(observed: &Observed) -> String {
    let faulty = observed
        .faults
        .iter()
        .map(|fault| format!("version {} {}", fault.version, fault.error));
    let unexplained = observed.uncounted.iter().map(|uncounted| {
        format!(
            "version {} is there, but the record does not count it",
            uncounted.version
        )
    });
    let all: Vec<String> = faulty.chain(unexplained).collect();
    let mut text = all
        .iter()
        .take(NAMED_FAULTS)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("; ");
    if all.len() > NAMED_FAULTS {
        text.push_str("; and more");
    }
    text
}

fn list(names: &[VersionName]) -> String {
    names
        .iter()
        .map(VersionName::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
