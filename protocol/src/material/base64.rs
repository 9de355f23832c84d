//! Bytes as base64 (RFC 4648, section 4, padded) in JSON.

use std::fmt;

use base64_simd::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode_to_string(bytes))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    deserializer.deserialize_str(Bytes)
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        // The error of the decoder is left out: it adds nothing but a second wording.
        STANDARD
            .decode_to_vec(text)
            .map_err(|_| E::custom("not base64"))
    }
}

/// The same for 32 secret bytes: no copy is left behind, and errors do not show what was there.
pub(super) mod secret {
    use super::{Deserializer, Error, STANDARD, Serializer, Visitor, fmt};
    use base64_simd::Out;
    use zeroize::{Zeroize, Zeroizing};

    /// base64 of 32 bytes.
    const TEXT: usize = 44;

    pub(in crate::material) fn serialize<S: Serializer>(
        key: &[u8; 32],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = Zeroizing::new([0_u8; TEXT]);
        let written = STANDARD.encode_as_str(key, Out::from_slice(&mut text[..]));
        serializer.serialize_str(written)
    }

    pub(in crate::material) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Zeroizing<[u8; 32]>, D::Error> {
        deserializer.deserialize_str(Secret)
    }

    struct Secret;

    impl Visitor<'_> for Secret {
        type Value = Zeroizing<[u8; 32]>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("base64 of 32 bytes")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let wrong = || E::custom("not base64 of 32 bytes");
            if text.len() != TEXT {
                return Err(wrong());
            }
            // A decoder may need room for whole groups before it knows of the padding.
            let mut room = Zeroizing::new([0_u8; TEXT]);
            let decoded = STANDARD
                .decode(text.as_bytes(), Out::from_slice(&mut room[..]))
                .map_err(|_| wrong())?;
            let mut key = <[u8; 32]>::try_from(&*decoded).map_err(|_| wrong())?;
            let kept = Zeroizing::new(key);
            key.zeroize();
            Ok(kept)
        }

        // serde's own message would quote the value.
        fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
            Err(E::custom("not base64 of 32 bytes"))
        }
    }
}
