use getrandom::SysRng;

use super::*;
use crate::keyset::{Fault, KeySet};
use crate::names::{KeyName, RecordName};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn version(number: u32) -> KeyVersion {
    KeyVersion::new(number).unwrap()
}

fn root() -> RootKey {
    RootKey::generate(
        KeyId::generate(&mut SysRng).unwrap(),
        KeyVersion::FIRST,
        &mut SysRng,
    )
    .unwrap()
}

fn record(name: &str) -> Record {
    let key = KeyName::new("shop", name).unwrap();
    let spec = SpecSeen {
        enabled: true,
        description: String::new(),
        rotation_days: None,
        pending_deletion_days: 30,
        custody: Custody::Sidecar,
    };
    let id = KeyId::generate(&mut SysRng).unwrap();
    Record::new(
        id,
        &key,
        Uuid::from_u128(7),
        spec,
        at("2026-01-01T00:00:00Z"),
    )
}

fn name_of(record: &Record) -> RecordName {
    RecordName::new(record.key_name().unwrap(), record.namespace_uid)
}

/// Seals a version of the record, and counts it.
fn grow(record: &mut Record, root: &RootKey) -> (VersionName, SealedVersion) {
    let number = record
        .highest_version
        .map_or(KeyVersion::FIRST, |highest| highest.next().unwrap());
    let key = VersionKey::generate(record.key_id, number, &mut SysRng).unwrap();
    let context = VersionContext::new(record, number, at("2026-01-02T00:00:00Z"));
    record.highest_version = Some(number);
    record.versions.push(CountedVersion {
        version: number,
        created_at: context.created_at,
        custody: context.custody,
    });
    let sealed = SealedVersion::seal(root, &key, context, &mut SysRng).unwrap();
    (name_of(record).version(number, root.version()), sealed)
}

fn faults(record: Record, root: &RootKey, name: VersionName, sealed: SealedVersion) -> Vec<String> {
    let set = KeySet::assemble(record, root, vec![(name, Ok(sealed))]);
    assert!(
        set.versions.is_empty() && set.uncounted.is_empty(),
        "served in spite of its fault"
    );
    set.faults
        .iter()
        .map(|fault| fault.error.to_string())
        .collect()
}

#[test]
fn documents_survive_a_round_trip() {
    let (root, mut record) = (root(), record("web"));
    let (_, sealed) = grow(&mut record, &root);
    record.rotation_requests.push(RotationRequest {
        requested_at: at("2026-02-01T00:00:00Z"),
        version: version(2),
    });
    assert_eq!(
        Record::parse(&record.to_json(), &name_of(&record)).unwrap(),
        record
    );
    assert_eq!(SealedVersion::parse(&sealed.to_json()).unwrap(), sealed);
    let document = RootKeyDocument::new(&root, at("2026-01-01T00:00:00Z"));
    let read = RootKeyDocument::parse(&document.to_json())
        .unwrap()
        .root_key();
    assert_eq!((read.id(), read.version()), (root.id(), root.version()));
    assert_eq!(read.expose_secret(), root.expose_secret());
}

#[test]
fn unknown_fields_are_refused() {
    let (root, mut record) = (root(), record("web"));
    let (_, sealed) = grow(&mut record, &root);
    let with_extra = |json: &[u8]| {
        let text = String::from_utf8(json.to_vec()).unwrap();
        text.replacen('{', "{\"extra\": 1,", 1).into_bytes()
    };
    assert!(Record::parse(&with_extra(&record.to_json()), &name_of(&record)).is_err());
    assert!(SealedVersion::parse(&with_extra(&sealed.to_json())).is_err());
    let document = RootKeyDocument::new(&root, at("2026-01-01T00:00:00Z"));
    assert!(RootKeyDocument::parse(&with_extra(&document.to_json())).is_err());
}

type Break = fn(&mut Record);

#[test]
fn contradictory_records_are_refused() {
    let (root, mut good) = (root(), record("web"));
    grow(&mut good, &root);
    grow(&mut good, &root);
    let name = name_of(&good);
    let broken: [(&str, Break); 9] = [
        ("forgetful", |record| record.versions.clear()),
        ("order", |record| record.versions.reverse()),
        ("twice", |record| {
            record.versions.push(record.versions[1].clone());
        }),
        ("highest", |record| {
            record.highest_version = Some(KeyVersion::FIRST);
        }),
        ("dates", |record| {
            record.state = RecordState::PendingDeletion;
        }),
        ("active dates", |record| {
            record.deletion_requested_at = Some(record.created_at);
            record.destroy_at = Some(record.created_at);
        }),
        ("destroyed", |record| {
            record.destroyed_at = Some(record.created_at);
        }),
        ("name", |record| record.name = "other".to_owned()),
        ("uid", |record| {
            record.namespace_uid = Uuid::from_u128(u128::MAX);
        }),
    ];
    assert!(Record::parse(&good.to_json(), &name).is_ok());
    for (what, break_it) in broken {
        let mut record = good.clone();
        break_it(&mut record);
        assert!(Record::parse(&record.to_json(), &name).is_err(), "{what}");
    }
}

#[test]
fn opens_what_it_sealed() {
    let (root, mut record) = (root(), record("web"));
    let found = vec![grow(&mut record, &root), grow(&mut record, &root)];
    let found = found
        .into_iter()
        .map(|(name, sealed)| (name, Ok(sealed)))
        .collect();
    let set = KeySet::assemble(record, &root, found);
    assert!(set.faults.is_empty() && set.uncounted.is_empty());
    let numbers: Vec<u32> = set
        .versions
        .iter()
        .map(|open| open.key.version().get())
        .collect();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(set.primary().unwrap().key.version(), version(2));
}

#[test]
fn every_field_of_the_context_is_sealed_and_compared() {
    let (root, mut record) = (root(), record("web"));
    let (name, good) = grow(&mut record, &root);
    let changes: [fn(&mut VersionContext); 7] = [
        |context| context.key_id = KeyId::from_bytes([9; 16]),
        |context| context.version = version(9),
        |context| context.namespace = "other".to_owned(),
        |context| context.name = "other".to_owned(),
        |context| context.namespace_uid = Uuid::from_u128(9),
        |context| context.custody = Custody::Operator,
        |context| context.created_at = at("2026-01-02T00:00:01Z"),
    ];
    for change in changes {
        let mut sealed = good.clone();
        change(&mut sealed.context);
        // By the seal alone, and by the comparison alone: with what was changed sealed anew.
        assert!(sealed.open(&root).is_err(), "{:?}", sealed.context);
        let context = sealed.context.clone();
        let key = VersionKey::generate(context.key_id, context.version, &mut SysRng).unwrap();
        let resealed = SealedVersion::seal(&root, &key, context, &mut SysRng).unwrap();
        assert!(resealed.open(&root).is_ok());
        let said = faults(record.clone(), &root, name.clone(), resealed);
        assert!(said[0].starts_with("belongs elsewhere"), "{said:?}");
    }
}

#[test]
fn a_name_with_another_root_key_version_is_refused() {
    let (root, mut record) = (root(), record("web"));
    let (name, sealed) = grow(&mut record, &root);
    let renamed = name.record.version(name.version, version(2));
    let said = faults(record, &root, renamed, sealed);
    assert!(said[0].contains("root key version"), "{said:?}");
}

#[test]
fn damage_is_never_served() {
    let (root, mut record) = (root(), record("web"));
    let (name, good) = grow(&mut record, &root);
    for index in 0..good.sealed.len() {
        let mut sealed = good.clone();
        sealed.sealed[index] ^= 1;
        assert_eq!(
            faults(record.clone(), &root, name.clone(), sealed).len(),
            1,
            "byte {index}"
        );
        let mut cut = good.clone();
        cut.sealed.truncate(index);
        assert_eq!(
            faults(record.clone(), &root, name.clone(), cut).len(),
            1,
            "cut at {index}"
        );
    }
}

#[test]
fn a_context_longer_than_any_is_refused() {
    let (root, mut record) = (root(), record("web"));
    let (_, mut sealed) = grow(&mut record, &root);
    sealed.context.name = "a".repeat(100_000);
    assert!(matches!(sealed.open(&root), Err(MaterialError::Context(_))));
}

#[test]
fn says_which_root_key_is_wanted() {
    let (first, second, mut record) = (root(), root(), record("web"));
    let (name, sealed) = grow(&mut record, &first);
    let said = faults(record.clone(), &second, name.clone(), sealed.clone());
    assert!(
        said[0].contains(&first.id().to_string()) && said[0].contains(&second.id().to_string()),
        "{said:?}"
    );
    // The same id with other bytes: nothing but the seal can tell.
    let forged = RootKey::new(first.id(), first.version(), &[1; 32]);
    let said = faults(record, &forged, name, sealed);
    assert!(said[0].starts_with("does not open"), "{said:?}");
}

#[test]
fn of_two_copies_the_one_that_opens_is_served() {
    let (old, mut record) = (root(), record("web"));
    let new = RootKey::generate(old.id(), version(2), &mut SysRng).unwrap();
    let (name, sealed) = grow(&mut record, &old);
    let key = sealed.open(&old).unwrap();
    let again = SealedVersion::seal(&new, &key, sealed.context.clone(), &mut SysRng).unwrap();
    let new_name = name.record.version(name.version, new.version());
    let found = || {
        vec![
            (name.clone(), Ok(sealed.clone())),
            (new_name.clone(), Ok(again.clone())),
        ]
    };
    for root in [&old, &new] {
        let set = KeySet::assemble(record.clone(), root, found());
        assert!(set.faults.is_empty(), "{:?}", set.faults);
        assert_eq!(set.versions.len(), 1);
    }
}

#[test]
fn a_counted_version_that_is_not_there_is_missed_until_destruction() {
    let (root, mut record) = (root(), record("web"));
    grow(&mut record, &root);
    let set = KeySet::assemble(record.clone(), &root, Vec::new());
    assert!(matches!(
        set.faults[..],
        [Fault {
            error: MaterialError::Missing,
            ..
        }]
    ));
    record.state = RecordState::Destroying;
    assert!(
        KeySet::assemble(record, &root, Vec::new())
            .faults
            .is_empty()
    );
}

#[test]
fn a_version_that_does_not_count_is_not_served() {
    let (root, mut record) = (root(), record("web"));
    let (name, sealed) = grow(&mut record, &root);
    record.highest_version = None;
    record.versions.clear();
    let set = KeySet::assemble(record, &root, vec![(name, Ok(sealed))]);
    assert!(set.versions.is_empty() && set.faults.is_empty() && set.primary().is_none());
    assert_eq!(set.uncounted.len(), 1);
}

#[test]
fn a_root_key_in_the_wrong_field_is_not_quoted() {
    let json =
        br#"{"id": "c2VjcmV0", "version": "c2VjcmV0", "createdAt": "c2VjcmV0", "key": "c2VjcmV0"}"#;
    let error = RootKeyDocument::parse(json).err().unwrap();
    assert!(!format!("{error} {error:?}").contains("c2VjcmV0"));
}
