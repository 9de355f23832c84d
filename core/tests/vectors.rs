//! Known answers, bad inputs included, made by another implementation: see `data/make_vectors.py`.
//!
//! Each good vector is opened, and sealed again with the salt that it has: the bytes must be the same.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: helpers may fail it"
)]

use std::convert::Infallible;
use std::io::{Read, Write};

use rand_core::{TryCryptoRng, TryRng};
use sealward_core::envelope::{self, FileHeader};
use sealward_core::message::PREFIX;
use sealward_core::{
    Dek, EncryptionContext, Header, KeyVersion, OpenError, OpenReader, Purpose, RootKey,
    SealWriter, VersionKey, open, open_version, seal, seal_version,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("data/vectors.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    text.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn map(value: &Value) -> EncryptionContext {
    let pairs = value.as_object().unwrap().iter();
    EncryptionContext::map(
        pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())),
    )
    .unwrap()
}

fn context(value: &Value) -> EncryptionContext {
    if value.is_null() {
        EncryptionContext::none()
    } else if value["bytes"].is_string() {
        EncryptionContext::bytes(bytes(&value["bytes"])).unwrap()
    } else {
        map(&value["map"])
    }
}

fn purpose(value: &Value) -> Purpose {
    match number(value) {
        1 => Purpose::Data,
        2 => Purpose::Dek,
        other => panic!("purpose {other}"),
    }
}

fn version(value: &Value) -> KeyVersion {
    KeyVersion::new(number(value).try_into().unwrap()).unwrap()
}

fn version_key(value: &Value) -> VersionKey {
    let secret = bytes(&value["secret"]).try_into().unwrap();
    VersionKey::new(
        value["keyId"].as_str().unwrap().parse().unwrap(),
        version(&value["version"]),
        &secret,
    )
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap())
        .collect()
}

/// A generator that gives what it was given: the salt of a vector.
struct Given(Vec<u8>);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unimplemented!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unimplemented!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

fn salt_at(message: &[u8], offset: usize) -> Given {
    Given(message[offset..offset + 24].to_vec())
}

#[test]
fn contexts_encode_as_the_vectors() {
    for vector in list(&vectors()["contexts"]) {
        let (context, encoded) = (context(&vector["context"]), bytes(&vector["encoded"]));
        assert_eq!(context.encode(), encoded);
        assert_eq!(EncryptionContext::decode(&encoded).unwrap(), context);
    }
}

#[test]
fn ciphertexts_open_and_are_sealed_as_the_vectors() {
    let vectors = &vectors()["ciphertexts"];
    let key = version_key(&vectors["key"]);
    for vector in list(&vectors["opened"]) {
        let (purpose, context) = (purpose(&vector["purpose"]), context(&vector["context"]));
        let (plaintext, ciphertext) = (
            pattern(number(&vector["length"])),
            bytes(&vector["ciphertext"]),
        );
        assert_eq!(
            open(&key, purpose, &context, &ciphertext).unwrap().expose(),
            plaintext
        );
        let salt = &mut salt_at(&ciphertext, Header::LEN);
        assert_eq!(
            seal(&key, purpose, &context, &plaintext, salt).unwrap(),
            ciphertext
        );
    }
}

#[test]
fn bad_ciphertexts_are_refused_as_the_vectors_say() {
    let vectors = &vectors()["ciphertexts"];
    let key = version_key(&vectors["key"]);
    for vector in list(&vectors["refused"]) {
        let (purpose, context) = (purpose(&vector["purpose"]), context(&vector["context"]));
        let error = open(&key, purpose, &context, &bytes(&vector["ciphertext"])).unwrap_err();
        let name = match error {
            OpenError::Malformed(_) => "malformed",
            _ => "authentication",
        };
        assert_eq!(name, vector["error"], "{}", vector["comment"]);
    }
}

#[test]
fn sealed_versions_open_and_are_sealed_as_the_vectors() {
    let vectors = &vectors()["sealedVersions"];
    let root = &vectors["rootKey"];
    let root = RootKey::new(
        root["keyId"].as_str().unwrap().parse().unwrap(),
        version(&root["version"]),
        &bytes(&root["secret"]).try_into().unwrap(),
    );
    let key = version_key(&vectors["key"]);
    let (context, blob) = (map(&vectors["context"]), bytes(&vectors["blob"]));

    let opened = open_version(&root, key.key_id(), key.version(), &context, &blob).unwrap();
    let probe = open(
        &opened,
        Purpose::Data,
        &EncryptionContext::none(),
        &bytes(&vectors["probe"]),
    )
    .unwrap();
    assert_eq!(probe.expose(), b"probe");
    assert_eq!(
        seal_version(&root, &key, &context, &mut salt_at(&blob, Header::LEN)).unwrap(),
        blob
    );

    for vector in list(&vectors["refused"]) {
        let opened = open_version(
            &root,
            key.key_id(),
            key.version(),
            &map(&vector["context"]),
            &bytes(&vector["blob"]),
        );
        assert_eq!(
            opened.unwrap_err(),
            OpenError::Authentication,
            "{}",
            vector["comment"]
        );
    }
}

#[test]
fn enveloped_files_open_and_are_sealed_as_the_vectors() {
    let key = version_key(&vectors()["ciphertexts"]["key"]);
    for vector in list(&vectors()["files"]) {
        let (context, file) = (context(&vector["context"]), bytes(&vector["file"]));
        let plaintext = pattern(number(&vector["length"]));

        let (head, rest) = file.split_first_chunk::<{ FileHeader::LEN }>().unwrap();
        let header = FileHeader::parse(head).unwrap();
        let dek = open(&key, Purpose::Dek, &context, header.ciphertext_dek()).unwrap();
        let dek = Dek::from_slice(dek.expose()).unwrap();
        let (prefix, chunks) = rest.split_first_chunk::<PREFIX>().unwrap();
        let mut opened = Vec::new();
        let opener = envelope::opener(&header, &dek, &context, prefix).unwrap();
        OpenReader::new(chunks, opener)
            .read_to_end(&mut opened)
            .unwrap();
        assert_eq!(opened, plaintext);

        let (sealer, prefix) =
            envelope::sealer(&header, &dek, &context, &mut salt_at(rest, 0)).unwrap();
        let mut writer = SealWriter::new([&header.to_bytes()[..], &prefix].concat(), sealer);
        writer.write_all(&plaintext).unwrap();
        assert_eq!(writer.finish().unwrap(), file);
    }
}
