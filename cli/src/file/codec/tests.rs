//! Whole files through both codecs and the pump.

use std::sync::atomic::AtomicBool;

use getrandom::SysRng;
use sealward_core::envelope::{self, FileHeader};
use sealward_core::message::{PREFIX, TAG};
use sealward_core::{Dek, EncryptionContext, KeyId, KeyVersion, Purpose, VersionKey, seal};

use super::super::pump;
use super::*;

/// What a message consists of, apart from its chunks.
struct Keys {
    header: FileHeader,
    dek: Dek,
}

fn keys() -> Keys {
    let dek = Dek::from_slice(&[7; 32]).unwrap();
    let cmk = VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32]);
    let none = EncryptionContext::none();
    let sealed = seal(&cmk, Purpose::Dek, &none, dek.expose(), &mut SysRng).unwrap();
    Keys {
        header: FileHeader::new(&sealed).unwrap(),
        dek,
    }
}

/// Runs a codec over its whole input: what came out, and how it ended.
fn drive(mut codec: impl Codec) -> (Vec<u8>, Result<(), Stop>) {
    let mut out = Vec::new();
    let result = pump::run(
        |buffer| codec.step(buffer),
        |buffer| {
            pump::drain(&mut out, buffer).map_err(Stop::Write)?;
            Ok(())
        },
        &AtomicBool::new(false),
    );
    (out, result)
}

fn sealed(keys: &Keys, plaintext: &[u8]) -> ([u8; PREFIX], Vec<u8>) {
    let none = EncryptionContext::none();
    let (sealer, prefix) = envelope::sealer(&keys.header, &keys.dek, &none, &mut SysRng).unwrap();
    let (chunks, result) = drive(Seal {
        input: plaintext,
        sealer: Some(sealer),
    });
    result.unwrap();
    (prefix, chunks)
}

fn opened(keys: &Keys, prefix: &[u8; PREFIX], chunks: &[u8]) -> (Vec<u8>, Result<(), Stop>) {
    let none = EncryptionContext::none();
    let opener = envelope::opener(&keys.header, &keys.dek, &none, prefix).unwrap();
    drive(Open {
        input: chunks,
        opener: Some(opener),
    })
}

fn sample(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 7 % 251).unwrap())
        .collect()
}

#[test]
fn gives_the_bytes_back_at_every_boundary() {
    let keys = keys();
    let buffer = SLOTS * CHUNK;
    for length in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        buffer - 1,
        buffer,
        buffer + 1,
        5 * buffer,
        5 * buffer + CHUNK + 1,
    ] {
        let plaintext = sample(length);
        let (prefix, chunks) = sealed(&keys, &plaintext);
        assert_eq!(chunks.len(), length + (length / CHUNK + 1) * TAG);
        let (out, result) = opened(&keys, &prefix, &chunks);
        result.unwrap();
        assert!(out == plaintext, "{length} bytes");
    }
}

#[test]
fn makes_what_the_one_chunk_writer_of_the_core_opens() {
    let keys = keys();
    let plaintext = sample(3 * CHUNK + 5);
    let (prefix, chunks) = sealed(&keys, &plaintext);
    let none = EncryptionContext::none();
    let opener = envelope::opener(&keys.header, &keys.dek, &none, &prefix).unwrap();
    let mut out = Vec::new();
    sealward_core::OpenReader::new(io::Cursor::new(chunks), opener)
        .read_to_end(&mut out)
        .unwrap();
    assert!(out == plaintext);
}

#[test]
fn releases_exactly_the_chunks_before_the_damage() {
    let keys = keys();
    let plaintext = sample(SLOTS * CHUNK + 3 * CHUNK + 100);
    let (prefix, chunks) = sealed(&keys, &plaintext);
    let last = chunks.len() - 1;
    for at in [0, SLOT - 1, SLOT, 5 * SLOT + 77, (SLOTS + 1) * SLOT, last] {
        let mut damaged = chunks.clone();
        damaged[at] ^= 1;
        let (out, result) = opened(&keys, &prefix, &damaged);
        assert!(
            matches!(result, Err(Stop::Open(OpenError::Authentication))),
            "byte {at}"
        );
        assert!(out == plaintext[..at / SLOT * CHUNK], "byte {at}");
    }
}

#[test]
fn refuses_what_is_cut_or_extended() {
    let keys = keys();
    for length in [0, 1, CHUNK - 1, CHUNK, SLOTS * CHUNK] {
        let (prefix, chunks) = sealed(&keys, &sample(length));
        for cut in [1, TAG - 1, TAG, TAG + 1, SLOT, 2 * SLOT] {
            let Some(rest) = chunks.len().checked_sub(cut) else {
                continue;
            };
            let (_, result) = opened(&keys, &prefix, &chunks[..rest]);
            assert!(
                matches!(result, Err(Stop::CutShort | Stop::Open(_))),
                "{length} bytes, {cut} cut off"
            );
        }
        for more in [1, TAG, SLOT, SLOTS * SLOT] {
            let mut extended = chunks.clone();
            extended.resize(chunks.len() + more, 0);
            let (_, result) = opened(&keys, &prefix, &extended);
            assert!(result.is_err(), "{length} bytes, {more} appended");
        }
    }
}
