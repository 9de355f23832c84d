//! An enveloped file, read and sought through after arbitrary changes and cuts: only its own plaintext ever comes out.
#![no_main]

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealward_core::envelope::{self, FileHeader};
use sealward_core::message::{CHUNK, PREFIX};
use sealward_core::{
    Dek, EncryptionContext, KeyId, KeyVersion, OpenReader, Purpose, SealWriter, VersionKey, seal,
};
use sealward_fuzz::Zeros;

const LEN: usize = CHUNK + 100;

fn plaintext() -> Vec<u8> {
    (0..LEN).map(|at| (at % 251) as u8).collect()
}

/// The file after its header, and the header.
static FILE: LazyLock<(FileHeader, Vec<u8>)> = LazyLock::new(|| {
    let key = VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32]);
    let none = EncryptionContext::none();
    let wrapped = seal(&key, Purpose::Dek, &none, &[1; 32], &mut Zeros).unwrap();
    let header = FileHeader::new(&wrapped).unwrap();
    let (sealer, prefix) = envelope::sealer(&header, &dek(), &none, &mut Zeros).unwrap();
    let mut writer = SealWriter::new(prefix.to_vec(), sealer);
    writer.write_all(&plaintext()).unwrap();
    (header, writer.finish().unwrap())
});

fn dek() -> Dek {
    Dek::from_slice(&[1; 32]).unwrap()
}

fuzz_target!(|data: &[u8]| {
    let (header, file) = &*FILE;
    let Some((cut, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let mut changed = file.clone();
    let cut = usize::from(u16::from_be_bytes(*cut));
    if cut < changed.len() {
        changed.truncate(cut);
    }
    let mut seeks = Vec::new();
    for step in rest.chunks_exact(4) {
        let at = usize::from(u16::from_be_bytes([step[1], step[2]]));
        match step[0] % 3 {
            0 => seeks.push(at),
            1 => {
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= step[3];
                }
            }
            _ => changed.push(step[3]),
        }
    }
    let Some((prefix, chunks)) = changed.split_first_chunk::<PREFIX>() else {
        return;
    };
    let Ok(opener) = envelope::opener(header, &dek(), &EncryptionContext::none(), prefix) else {
        assert_ne!(&changed, file);
        return;
    };
    let plaintext = plaintext();
    let mut reader = OpenReader::new(Cursor::new(chunks), opener);
    for at in seeks {
        if reader.seek(SeekFrom::Start(at as u64)).is_err() {
            break;
        }
        let mut buffer = [0; 300];
        match reader.read(&mut buffer) {
            Ok(read) => assert!(
                plaintext
                    .get(at..)
                    .unwrap_or_default()
                    .starts_with(&buffer[..read])
            ),
            Err(_) => break,
        }
    }
    let opener = envelope::opener(header, &dek(), &EncryptionContext::none(), prefix).unwrap();
    let mut out = Vec::new();
    let whole = OpenReader::new(chunks, opener)
        .read_to_end(&mut out)
        .is_ok();
    assert!(plaintext.starts_with(&out));
    assert_eq!(whole, &changed == file);
});
