use sealward_core::{OpenError, RootKey};
use sealward_protocol::keyset::Fault;
use sealward_protocol::material::{CountedVersion, DocumentError, SpecSeen};
use sealward_protocol::names::{KeyName, RecordName};
use uuid::Uuid;

use super::*;
use crate::customer_master_key::StoredVersion;

const UID: Uuid = Uuid::from_u128(7);
const DAY: i64 = 24 * 60 * 60;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + number * DAY).unwrap()
}

fn version(number: u32) -> KeyVersion {
    KeyVersion::new(number).unwrap()
}

fn key_id() -> KeyId {
    KeyId::from_bytes([1; 16])
}

fn name() -> RecordName {
    RecordName::new(KeyName::new("shop", "web").unwrap(), UID)
}

fn spec() -> SpecSeen {
    SpecSeen {
        enabled: true,
        description: String::new(),
        rotation_days: None,
        pending_deletion_days: 30,
        custody: Custody::Sidecar,
    }
}

fn desired() -> Desired {
    Desired {
        key: name().key().clone(),
        spec: spec(),
        rotation_requested: None,
    }
}

fn present() -> Presence {
    Presence::Present(desired())
}

fn with_spec(change: impl FnOnce(&mut SpecSeen)) -> Presence {
    let mut desired = desired();
    change(&mut desired.spec);
    Presence::Present(desired)
}

fn rotate_at(at: Timestamp) -> Presence {
    Presence::Present(Desired {
        rotation_requested: Some(at),
        ..desired()
    })
}

const DELETED: Presence = Presence::Deleted {
    pending_deletion_days: None,
};

fn counted(number: u32) -> CountedVersion {
    CountedVersion {
        version: version(number),
        created_at: day(i64::from(number)),
        custody: Custody::Sidecar,
    }
}

/// A record that counts versions 1 to `highest`, each made on the day of its number.
fn record(highest: u32) -> Record {
    let key = KeyName::new("shop", "web").unwrap();
    Record {
        highest_version: KeyVersion::new(highest),
        versions: (1..=highest).map(counted).collect(),
        ..Record::new(key_id(), &key, UID, spec(), day(0))
    }
}

fn pending(destroy_at: Timestamp) -> Record {
    Record {
        state: RecordState::PendingDeletion,
        deletion_requested_at: Some(day(10)),
        destroy_at: Some(destroy_at),
        ..record(2)
    }
}

fn stored(number: u32) -> StoredVersion {
    StoredVersion {
        name: name().version(version(number), KeyVersion::FIRST),
        revision: Revision::new([0]),
        key_id: Some(key_id()),
    }
}

fn nothing() -> Observed {
    Observed {
        record: None,
        versions: Vec::new(),
        uncounted: Vec::new(),
        faults: Vec::new(),
        stored: Vec::new(),
        other_namespace: false,
        root_fit: RootKeyFit::Fits,
    }
}

/// The record, and all that it counts.
fn whole(record: Record) -> Observed {
    Observed {
        versions: record.versions.clone(),
        stored: record
            .versions
            .iter()
            .map(|counted| stored(counted.version.get()))
            .collect(),
        record: Some(Ok((record, Revision::new([0])))),
        ..nothing()
    }
}

/// The record, with one version that is not as it should be.
fn faulty(record: Record, number: u32, error: MaterialError) -> Observed {
    let mut observed = whole(record);
    observed
        .versions
        .retain(|counted| counted.version != version(number));
    observed.faults.push(Fault {
        version: version(number),
        error,
    });
    observed
}

fn other_root() -> MaterialError {
    let root = RootKey::new(key_id(), KeyVersion::FIRST, &[0; 32]);
    MaterialError::OtherRootKey {
        sealed_by: KeyId::from_bytes([2; 16]),
        sealed_by_version: KeyVersion::FIRST,
        root: root.id(),
        root_version: root.version(),
    }
}

fn damaged() -> MaterialError {
    MaterialError::Seal(OpenError::Authentication)
}

fn unbelievable() -> Observed {
    let error = DocumentError::Unused { why: "test" };
    Observed {
        record: Some(Err(error)),
        ..nothing()
    }
}

#[track_caller]
fn rests(presence: &Presence, observed: &Observed, now: Timestamp, finding: &Finding) {
    let planned = plan(presence, observed, now);
    assert_eq!(planned.step, None);
    assert_eq!(planned.finding, *finding);
}

#[track_caller]
fn steps(presence: &Presence, observed: &Observed, now: Timestamp, step: &Step) {
    assert_eq!(plan(presence, observed, now).step.as_ref(), Some(step));
}

#[track_caller]
fn replaces(presence: &Presence, before: Record, now: Timestamp, change: impl FnOnce(&mut Record)) {
    let observed = whole(before.clone());
    let mut after = before;
    change(&mut after);
    steps(
        presence,
        &observed,
        now,
        &Step::ReplaceRecord(Box::new(after)),
    );
}

#[test]
fn a_new_cmk_gets_a_record_first_then_version_1() {
    steps(
        &present(),
        &nothing(),
        day(0),
        &Step::CreateRecord(desired()),
    );
    steps(
        &present(),
        &whole(record(0)),
        day(0),
        &Step::CreateVersion(version(1)),
    );
    let observed = Observed {
        uncounted: vec![counted(1)],
        stored: vec![stored(1)],
        ..whole(record(0))
    };
    steps(
        &present(),
        &observed,
        day(1),
        &Step::ReplaceRecord(Box::new(record(1))),
    );
    rests(&present(), &whole(record(1)), day(1), &Finding::Ready);
}

#[test]
fn a_disabled_cmk_gets_its_first_version_too() {
    let disabled = with_spec(|spec| spec.enabled = false);
    let mut record = record(0);
    record.spec.enabled = false;
    steps(
        &disabled,
        &whole(record),
        day(0),
        &Step::CreateVersion(version(1)),
    );
}

#[test]
fn what_nobody_wants_is_not_made() {
    for presence in [DELETED, Presence::Unknown] {
        rests(&presence, &nothing(), day(0), &Finding::Absent);
    }
}

#[test]
fn nothing_is_made_where_something_was() {
    let at = day(500);
    let orphan = Observed {
        stored: vec![stored(1)],
        ..nothing()
    };
    let other_namespace = Observed {
        other_namespace: true,
        ..nothing()
    };
    let unproven = Observed {
        root_fit: RootKeyFit::Unproven,
        ..nothing()
    };
    let unproven_begun = Observed {
        root_fit: RootKeyFit::Unproven,
        ..whole(record(0))
    };
    let first_damaged = Observed {
        stored: vec![stored(1)],
        faults: vec![Fault {
            version: version(1),
            error: damaged(),
        }],
        ..whole(record(0))
    };
    let mut forgetful = record(3);
    forgetful.versions.clear();
    for (observed, finding) in [
        (whole(forgetful), Finding::MaterialMissing),
        (orphan, Finding::RecordMissing),
        (other_namespace, Finding::NamespaceChanged),
        (unproven, Finding::RootKeyMismatch),
        (unproven_begun, Finding::RootKeyMismatch),
        (first_damaged, Finding::MaterialDamaged),
        (unbelievable(), Finding::RecordDamaged),
        (
            faulty(record(1), 1, MaterialError::Missing),
            Finding::MaterialMissing,
        ),
        (faulty(record(1), 1, damaged()), Finding::MaterialDamaged),
        (faulty(record(1), 1, other_root()), Finding::RootKeyMismatch),
    ] {
        // Not even where a rotation is due, or asked for: nothing opens.
        let rotating = Presence::Present(Desired {
            rotation_requested: Some(at),
            ..desired()
        });
        rests(&rotating, &observed, at, &finding);
    }
}

#[test]
fn rotates_by_age_and_not_before() {
    let aged = with_spec(|spec| spec.rotation_days = Some(90));
    let mut record = record(2);
    record.spec.rotation_days = Some(90);
    let second = SignedDuration::from_secs(1);
    rests(
        &aged,
        &whole(record.clone()),
        day(92) - second,
        &Finding::Ready,
    );
    for at in [day(92), day(10_000)] {
        steps(
            &aged,
            &whole(record.clone()),
            at,
            &Step::CreateVersion(version(3)),
        );
    }
    // Also while the object cannot be seen; not for a clock that was set back.
    steps(
        &Presence::Unknown,
        &whole(record.clone()),
        day(92),
        &Step::CreateVersion(version(3)),
    );
    rests(&aged, &whole(record), day(-10_000), &Finding::Ready);
}

#[test]
fn rotates_on_request_once_for_each_value() {
    let (first, second) = (day(20), day(30));
    replaces(&rotate_at(first), record(1), first, |record| {
        record.rotation_requests.push(RotationRequest {
            requested_at: first,
            version: version(2),
        });
    });
    // The record wants it now, whatever the annotation says by then.
    let mut wanting = record(1);
    wanting.rotation_requests.push(RotationRequest {
        requested_at: first,
        version: version(2),
    });
    for presence in [rotate_at(first), present(), Presence::Unknown] {
        steps(
            &presence,
            &whole(wanting.clone()),
            first,
            &Step::CreateVersion(version(2)),
        );
    }
    let mut done = record(2);
    done.rotation_requests
        .clone_from(&wanting.rotation_requests);
    rests(
        &rotate_at(first),
        &whole(done.clone()),
        day(300),
        &Finding::Ready,
    );
    // A second value, and the first one again.
    replaces(&rotate_at(second), done.clone(), second, |record| {
        record.rotation_requests.push(RotationRequest {
            requested_at: second,
            version: version(3),
        });
    });
    let mut both = record(3);
    both.rotation_requests.extend(done.rotation_requests);
    both.rotation_requests.push(RotationRequest {
        requested_at: second,
        version: version(3),
    });
    rests(&rotate_at(first), &whole(both), day(300), &Finding::Ready);
}

#[test]
fn does_not_rotate_while_disabled_pending_or_destroyed() {
    let mut disabled = record(1);
    disabled.spec.enabled = false;
    disabled.spec.rotation_days = Some(1);
    let wants = with_spec(|spec| (spec.enabled, spec.rotation_days) = (false, Some(1)));
    let Presence::Present(wants) = wants else {
        unreachable!()
    };
    let wants = Presence::Present(Desired {
        rotation_requested: Some(day(9)),
        ..wants
    });
    rests(&wants, &whole(disabled), day(99), &Finding::Disabled);

    let mut waiting = pending(day(200));
    waiting.spec.rotation_days = Some(1);
    rests(
        &DELETED,
        &whole(waiting),
        day(99),
        &Finding::PendingDeletion {
            destroy_at: day(200),
        },
    );

    let mut gone = pending(day(20));
    (gone.state, gone.destroyed_at) = (RecordState::Destroyed, Some(day(21)));
    let observed = Observed {
        record: Some(Ok((gone, Revision::new([0])))),
        ..nothing()
    };
    rests(
        &rotate_at(day(99)),
        &observed,
        day(99),
        &Finding::Destroyed { at: day(21) },
    );
}

#[test]
fn numbers_are_above_all_that_was_ever_seen() {
    let aged = with_spec(|spec| spec.rotation_days = Some(1));
    let mut highest = record(2);
    highest.spec.rotation_days = Some(1);
    highest.highest_version = KeyVersion::new(7);
    steps(
        &aged,
        &whole(highest),
        day(99),
        &Step::CreateVersion(version(8)),
    );
    // A damaged version that never counted keeps its number, and rotation on request goes around it.
    let mut observed = faulty(record(2), 3, damaged());
    observed.stored.push(stored(3));
    let planned = plan(&rotate_at(day(99)), &observed, day(99));
    let Some(Step::ReplaceRecord(next)) = planned.step else {
        panic!("{planned:?}")
    };
    assert_eq!(next.rotation_requests[0].version, version(4));
    // There is no number after the last one.
    let mut last = record(2);
    last.spec.rotation_days = Some(1);
    last.highest_version = KeyVersion::new(u32::MAX);
    rests(&aged, &whole(last), day(99), &Finding::RotationBlocked);
}

#[test]
fn rotation_is_blocked_at_100_versions() {
    let wants = with_spec(|spec| spec.rotation_days = Some(1));
    let Presence::Present(wants) = wants else {
        unreachable!()
    };
    let wants = Presence::Present(Desired {
        rotation_requested: Some(day(9)),
        ..wants
    });
    let mut full = record(100);
    full.spec.rotation_days = Some(1);
    rests(&wants, &whole(full), day(999), &Finding::RotationBlocked);
    let mut nearly = record(99);
    nearly.spec.rotation_days = Some(1);
    assert!(plan(&wants, &whole(nearly), day(999)).step.is_some());
    assert_eq!(MAX_VERSIONS, sealward_crds::MAX_VERSIONS);
}

#[test]
fn with_a_fault_it_rotates_only_when_asked() {
    let mut record = record(2);
    record.spec.rotation_days = Some(1);
    for (error, finding) in [
        (damaged(), Finding::MaterialDamaged),
        (MaterialError::Missing, Finding::MaterialMissing),
        (other_root(), Finding::RootKeyMismatch),
    ] {
        let aged = with_spec(|spec| spec.rotation_days = Some(1));
        let observed = faulty(record.clone(), 2, error);
        rests(&aged, &observed, day(99), &finding);
        assert!(plan(&rotate_at(day(99)), &observed, day(99)).step.is_some());
    }
}

#[test]
fn adopts_only_what_is_above_all_that_counted() {
    let observed = Observed {
        uncounted: vec![counted(3)],
        ..whole(record(2))
    };
    steps(
        &present(),
        &observed,
        day(3),
        &Step::ReplaceRecord(Box::new(record(3))),
    );
    let mut gap = record(3);
    gap.versions.remove(1);
    let observed = Observed {
        uncounted: vec![counted(2)],
        ..whole(gap)
    };
    rests(&present(), &observed, day(3), &Finding::MaterialDamaged);
}

#[test]
fn custody_moves_to_the_operator_with_a_rotation_and_never_back() {
    let operator = with_spec(|spec| spec.custody = Custody::Operator);
    replaces(&operator, record(1), day(1), |record| {
        record.spec.custody = Custody::Operator;
    });
    let mut moved = record(1);
    moved.spec.custody = Custody::Operator;
    steps(
        &operator,
        &whole(moved.clone()),
        day(1),
        &Step::CreateVersion(version(2)),
    );
    let mut rotated = record(2);
    rotated.spec.custody = Custody::Operator;
    rotated.versions[1].custody = Custody::Operator;
    for presence in [operator, present()] {
        rests(&presence, &whole(rotated.clone()), day(2), &Finding::Ready);
    }
}

#[test]
fn takes_over_the_spec_and_keeps_it_while_the_object_cannot_be_seen() {
    let other = with_spec(|spec| (spec.enabled, spec.description) = (false, "shop".to_owned()));
    replaces(&other, record(1), day(1), |record| {
        (record.spec.enabled, record.spec.description) = (false, "shop".to_owned());
    });
    let mut disabled = record(1);
    disabled.spec.enabled = false;
    rests(
        &Presence::Unknown,
        &whole(disabled),
        day(1),
        &Finding::Disabled,
    );
}

#[test]
fn deletion_waits_as_long_as_was_said() {
    for (days, expected) in [(None, 30), (Some(7), 7), (Some(1096), 1096)] {
        let deleted = Presence::Deleted {
            pending_deletion_days: days,
        };
        replaces(&deleted, record(2), day(10), |record| {
            *record = Record {
                destroy_at: Some(day(10 + expected)),
                ..pending(day(0))
            };
        });
    }
    // Said twice, it does not wait longer.
    rests(
        &DELETED,
        &whole(pending(day(40))),
        day(30),
        &Finding::PendingDeletion {
            destroy_at: day(40),
        },
    );
}

#[test]
fn a_damaged_cmk_can_be_deleted() {
    let observed = faulty(record(2), 2, damaged());
    let planned = plan(&DELETED, &observed, day(10));
    assert!(
        matches!(planned.step, Some(Step::ReplaceRecord(next)) if next.state == RecordState::PendingDeletion)
    );
}

#[test]
fn only_a_pending_deletion_can_be_taken_back_and_only_in_time() {
    let second = SignedDuration::from_secs(1);
    replaces(&present(), pending(day(40)), day(40) - second, |before| {
        *before = record(2);
    });
    for presence in [present(), DELETED] {
        replaces(&presence, pending(day(40)), day(40), |record| {
            record.state = RecordState::Destroying;
        });
    }
    let destroying = Record {
        state: RecordState::Destroying,
        ..pending(day(40))
    };
    let delete = [1, 2]
        .map(|number| (stored(number).name, stored(number).revision))
        .to_vec();
    for presence in [present(), DELETED, Presence::Unknown] {
        steps(
            &presence,
            &whole(destroying.clone()),
            day(11),
            &Step::DeleteVersions(delete.clone()),
        );
    }
}

#[test]
fn what_nobody_saw_deleted_is_not_destroyed() {
    let finding = Finding::PendingDeletion {
        destroy_at: day(40),
    };
    rests(
        &Presence::Unknown,
        &whole(pending(day(40))),
        day(9_000),
        &finding,
    );
}

#[test]
fn destruction_ends_when_nothing_is_left_and_spares_other_keys() {
    let destroying = Record {
        state: RecordState::Destroying,
        ..pending(day(40))
    };
    let mut observed = whole(destroying.clone());
    observed.stored.clear();
    let mut destroyed = destroying.clone();
    (destroyed.state, destroyed.destroyed_at) = (RecordState::Destroyed, Some(day(41)));
    steps(
        &DELETED,
        &observed,
        day(41),
        &Step::ReplaceRecord(Box::new(destroyed)),
    );

    let mut foreign = stored(2);
    foreign.key_id = Some(KeyId::from_bytes([9; 16]));
    let mut unreadable = stored(3);
    unreadable.key_id = None;
    observed.stored = vec![stored(1), foreign.clone(), unreadable.clone()];
    let delete = [stored(1), unreadable]
        .map(|stored| (stored.name, stored.revision))
        .to_vec();
    steps(&DELETED, &observed, day(41), &Step::DeleteVersions(delete));
    observed.stored = vec![foreign.clone()];
    rests(
        &DELETED,
        &observed,
        day(41),
        &Finding::DestructionBlocked(vec![foreign.name]),
    );
}
