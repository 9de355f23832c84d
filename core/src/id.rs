//! Identifiers: which key, and which version of it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use rand_core::TryCryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::error::{IdError, RandomError};

/// The identity of a CMK or of a root key: a UUID (RFC 9562), in every ciphertext as its 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// Draws a new, random id (UUID version 4).
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        rng.try_fill_bytes(&mut bytes).map_err(|_| RandomError)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }

    /// The id with these bytes, as they stand in a ciphertext. Every value is an id.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes that stand in a ciphertext.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = IdError;

    /// Takes the one spelling that [`Display`](fmt::Display) writes, so that equal ids are equal strings.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = Uuid::try_parse(text)
            .map(Self)
            .map_err(|_| IdError::KeyId)?;
        let mut canonical = Uuid::encode_buffer();
        if id.0.hyphenated().encode_lower(&mut canonical) == text {
            Ok(id)
        } else {
            Err(IdError::KeyId)
        }
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The number of a key version, from 1. Rotation makes the next one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyVersion(NonZeroU32);

impl KeyVersion {
    /// The version that every key begins with.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The version with this number; `None` for 0.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Its number, at least 1.
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The version after this one; `None` where the numbers end.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for KeyVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.get())
    }
}

impl<'de> Deserialize<'de> for KeyVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        Self::new(number).ok_or_else(|| de::Error::custom(IdError::KeyVersion))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_id_has_one_spelling() {
        let text = "0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71";
        let id: KeyId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(KeyId::from_bytes(*id.as_bytes()), id);
        for wrong in [
            "",
            "0191D1A2-7F5E-7C3A-8B1D-2F6A9C0E4B71",
            "0191d1a27f5e7c3a8b1d2f6a9c0e4b71",
            "{0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71}",
            "urn:uuid:0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71",
            "0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b7",
            "0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71 ",
            "zzzzzzzz-7f5e-7c3a-8b1d-2f6a9c0e4b71",
        ] {
            assert_eq!(wrong.parse::<KeyId>(), Err(IdError::KeyId), "{wrong}");
        }
    }

    #[test]
    fn key_versions_count_from_one() {
        assert_eq!(KeyVersion::new(0), None);
        assert_eq!(KeyVersion::FIRST.get(), 1);
        assert_eq!(KeyVersion::FIRST.next(), KeyVersion::new(2));
        assert_eq!(KeyVersion::new(u32::MAX).unwrap().next(), None);
        assert!(serde_json::from_str::<KeyVersion>("0").is_err());
        assert_eq!(serde_json::to_string(&KeyVersion::FIRST).unwrap(), "1");
    }

    #[test]
    fn key_ids_serialize_as_their_spelling() {
        let id = KeyId::generate(&mut getrandom::SysRng).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<KeyId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<KeyId>(&json.to_uppercase()).is_err());
    }
}
