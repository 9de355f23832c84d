use std::io::Cursor;

use getrandom::SysRng;
use proptest::prelude::*;

use super::*;
use crate::envelope::{self, FileHeader};
use crate::message::{Backend, PREFIX, Salt};
use crate::{Dek, EncryptionContext, KeyId, KeyVersion, Purpose, VersionKey, seal};

struct File {
    header: FileHeader,
    dek: Dek,
    context: EncryptionContext,
}

impl File {
    fn new() -> Self {
        let key = VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32]);
        let context = EncryptionContext::bytes(*b"video").unwrap();
        let sealed = seal(&key, Purpose::Dek, &context, &[1; 32], &mut SysRng).unwrap();
        Self {
            header: FileHeader::new(&sealed).unwrap(),
            dek: Dek::from_slice(&[1; 32]).unwrap(),
            context,
        }
    }

    /// Seals `pieces` one `write` after another; gives prefix and chunks.
    fn seal<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>, backend: Backend) -> Vec<u8> {
        let salt = Salt::from_bytes([9; 24]);
        let (sealer, prefix) =
            envelope::sealer_with(&self.header, &self.dek, &self.context, &salt, backend);
        let mut writer = SealWriter::new(prefix.to_vec(), sealer);
        for piece in pieces {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn reader(
        &self,
        sealed: &[u8],
        backend: Backend,
    ) -> Result<OpenReader<Cursor<Vec<u8>>>, OpenError> {
        let prefix = sealed.first_chunk::<PREFIX>().ok_or(Malformed::Length)?;
        let opener =
            envelope::opener_with(&self.header, &self.dek, &self.context, prefix, backend)?;
        let mut cursor = Cursor::new(sealed.to_vec());
        cursor.set_position(length(PREFIX));
        Ok(OpenReader::new(cursor, opener))
    }

    /// Opens all of it in reads of `step` bytes; what came out before an error is given beside it.
    fn open(&self, sealed: &[u8], step: usize, backend: Backend) -> (Vec<u8>, Result<(), String>) {
        let mut reader = match self.reader(sealed, backend) {
            Ok(reader) => reader,
            Err(error) => return (Vec::new(), Err(error.to_string())),
        };
        let mut out = Vec::new();
        let mut buffer = vec![0; step];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (out, Ok(())),
                Ok(len) => out.extend_from_slice(&buffer[..len]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    assert!(
                        reader.read(&mut buffer).is_err(),
                        "a reader that failed gives nothing more"
                    );
                    return (out, Err(error.to_string()));
                }
            }
        }
    }
}

fn backends() -> Vec<Backend> {
    vec![
        Backend::Reference,
        #[cfg(feature = "aws-lc")]
        Backend::AwsLc,
    ]
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 251) % 256).unwrap())
        .collect()
}

const LENGTHS: [usize; 9] = [
    0,
    1,
    TAG,
    CHUNK - 1,
    CHUNK,
    CHUNK + 1,
    2 * CHUNK - 1,
    2 * CHUNK,
    3 * CHUNK + 77,
];

#[test]
fn all_implementations_make_the_same_bytes_and_open_each_others() {
    let file = File::new();
    for len in LENGTHS {
        let plaintext = pattern(len);
        let reference = file.seal([&plaintext[..]], Backend::Reference);
        assert_eq!(reference.len(), PREFIX + len + (len / CHUNK + 1) * TAG);
        for backend in backends() {
            assert_eq!(file.seal([&plaintext[..]], backend), reference);
            assert_eq!(
                file.open(&reference, 8192, backend),
                (plaintext.clone(), Ok(()))
            );
        }
    }
}

#[test]
fn every_cut_is_refused_and_gives_only_authenticated_chunks() {
    let file = File::new();
    let plaintext = pattern(2 * CHUNK + 5);
    let sealed = file.seal([&plaintext[..]], Backend::default());
    let near = |at: usize| at.saturating_sub(20)..at + 20;
    let cuts = (0..PREFIX + 40)
        .chain(near(PREFIX + SLOT))
        .chain(near(PREFIX + 2 * SLOT))
        .filter(|cut| *cut < sealed.len());
    for cut in cuts {
        let (out, result) = file.open(&sealed[..cut], 1000, Backend::default());
        assert!(result.is_err(), "cut at {cut}");
        assert!(
            out.len() % CHUNK == 0 && plaintext.starts_with(&out),
            "cut at {cut}"
        );
    }
}

#[test]
fn an_appended_byte_is_refused() {
    let file = File::new();
    for len in LENGTHS {
        let mut sealed = file.seal([&pattern(len)[..]], Backend::default());
        sealed.push(0);
        assert!(
            file.open(&sealed, 8192, Backend::default()).1.is_err(),
            "{len}"
        );
        let mut reader = file.reader(&sealed, Backend::default()).unwrap();
        assert!(reader.seek(SeekFrom::Start(0)).is_err(), "{len}");
    }
}

#[test]
fn chunks_swapped_or_repeated_are_refused() {
    let file = File::new();
    let sealed = file.seal([&pattern(3 * CHUNK)[..]], Backend::default());
    let slot = |number: usize| &sealed[PREFIX + number * SLOT..PREFIX + (number + 1) * SLOT];
    let last = &sealed[PREFIX + 3 * SLOT..];
    for order in [[1, 0, 2], [0, 0, 2], [0, 2, 1]] {
        let mut changed = sealed[..PREFIX].to_vec();
        for number in order {
            changed.extend_from_slice(slot(number));
        }
        changed.extend_from_slice(last);
        assert!(
            file.open(&changed, 8192, Backend::default()).1.is_err(),
            "{order:?}"
        );
    }
    let dropped = [&sealed[..PREFIX], slot(0), slot(1), last].concat();
    assert!(file.open(&dropped, 8192, Backend::default()).1.is_err());
}

#[test]
fn seeks_give_the_bytes_of_the_place() {
    let file = File::new();
    for len in LENGTHS {
        let plaintext = pattern(len);
        let sealed = file.seal([&plaintext[..]], Backend::default());
        for target in [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK,
            len.saturating_sub(1),
            len,
            len + 10,
        ] {
            let mut reader = file.reader(&sealed, Backend::default()).unwrap();
            assert_eq!(
                reader.seek(SeekFrom::Start(length(target))).unwrap(),
                length(target)
            );
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).unwrap();
            assert_eq!(
                rest,
                plaintext.get(target..).unwrap_or_default(),
                "{target} of {len}"
            );
        }
    }
}

#[test]
fn seeks_from_everywhere_to_everywhere() {
    let file = File::new();
    let plaintext = pattern(2 * CHUNK + 100);
    let sealed = file.seal([&plaintext[..]], Backend::default());
    let mut reader = file.reader(&sealed, Backend::default()).unwrap();
    let mut ten = [0; 10];
    reader.read_exact(&mut ten).unwrap();
    assert_eq!(reader.stream_position().unwrap(), 10);
    reader.read_exact(&mut ten).unwrap();
    assert_eq!(ten, plaintext[10..20]);
    assert_eq!(
        reader
            .seek(SeekFrom::Current(length(CHUNK).cast_signed()))
            .unwrap(),
        length(CHUNK + 20)
    );
    reader.read_exact(&mut ten).unwrap();
    assert_eq!(ten, plaintext[CHUNK + 20..CHUNK + 30]);
    assert_eq!(
        reader.seek(SeekFrom::End(-10)).unwrap(),
        length(plaintext.len() - 10)
    );
    reader.read_exact(&mut ten).unwrap();
    assert_eq!(ten, plaintext[plaintext.len() - 10..]);
    assert_eq!(reader.read(&mut ten).unwrap(), 0);
    assert_eq!(reader.stream_position().unwrap(), length(plaintext.len()));
    assert!(reader.seek(SeekFrom::Current(-1_000_000)).is_err());
}

#[test]
fn a_seek_in_a_cut_file_gives_nothing() {
    let file = File::new();
    let sealed = file.seal([&pattern(3 * CHUNK + 9)[..]], Backend::default());
    for cut in [
        PREFIX,
        PREFIX + 3,
        PREFIX + SLOT,
        PREFIX + SLOT + 100,
        PREFIX + 3 * SLOT,
        sealed.len() - 1,
    ] {
        let mut reader = file.reader(&sealed[..cut], Backend::default()).unwrap();
        assert!(reader.seek(SeekFrom::Start(0)).is_err(), "cut at {cut}");
        assert!(reader.read(&mut [0; 1]).is_err(), "cut at {cut}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_the_input_gives_the_same_bytes(
        len in 0..3 * CHUNK,
        splits in proptest::collection::vec(0_usize..3 * CHUNK, 0..12),
        step in 1..2 * CHUNK,
    ) {
        let file = File::new();
        let plaintext = pattern(len);
        let mut cuts: Vec<_> = splits.into_iter().map(|cut| cut.min(len)).chain([0, len]).collect();
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &plaintext[pair[0]..pair[1]]);
        let sealed = file.seal(pieces, Backend::default());
        prop_assert_eq!(&sealed, &file.seal([&plaintext[..]], Backend::Reference));
        prop_assert_eq!(file.open(&sealed, step, Backend::default()), (plaintext, Ok(())));
    }

    #[test]
    fn any_flipped_bit_is_refused_before_its_chunk_is_given(
        len in 0..3 * CHUNK,
        place in any::<proptest::sample::Index>(),
        bit in 0..8,
    ) {
        let file = File::new();
        let plaintext = pattern(len);
        let mut sealed = file.seal([&plaintext[..]], Backend::default());
        let at = place.index(sealed.len());
        sealed[at] ^= 1_u8 << bit;
        for backend in backends() {
            let (out, result) = file.open(&sealed, 5000, backend);
            prop_assert!(result.is_err());
            let authentic = at.saturating_sub(PREFIX) / SLOT * CHUNK;
            prop_assert!(out.len() <= authentic && plaintext.starts_with(&out));
        }
    }

    #[test]
    fn any_seek_then_read_gives_the_plaintext(len in 0..3 * CHUNK, seeks in proptest::collection::vec(0_usize..3 * CHUNK, 1..8)) {
        let file = File::new();
        let plaintext = pattern(len);
        let sealed = file.seal([&plaintext[..]], Backend::default());
        let mut reader = file.reader(&sealed, Backend::default()).unwrap();
        for target in seeks {
            reader.seek(SeekFrom::Start(length(target))).unwrap();
            let mut buffer = vec![0; 700];
            let read = reader.read(&mut buffer).unwrap();
            let expected = plaintext.get(target..).unwrap_or_default();
            prop_assert!(expected.starts_with(&buffer[..read]));
            prop_assert_eq!(read == 0, expected.is_empty());
        }
    }
}
