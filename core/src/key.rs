//! The three kinds of key. All are erased when dropped; none can be cloned, printed or serialized.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand_core::TryCryptoRng;
use sha2::Sha256;

use crate::context::EncryptionContext;
use crate::error::RandomError;
use crate::id::{KeyId, KeyVersion};
use crate::kdf::InputKey;
use crate::secret::Secret32;

/// Seals CMK versions, and does nothing else.
pub struct RootKey {
    id: KeyId,
    version: KeyVersion,
    secret: Secret32,
    input: InputKey,
}

impl RootKey {
    /// The root key with these 32 bytes. The caller erases its own copy.
    pub fn new(id: KeyId, version: KeyVersion, secret: &[u8; 32]) -> Self {
        Self::from_secret(id, version, Secret32::new(secret))
    }

    /// Draws a new root key.
    pub fn generate(
        id: KeyId,
        version: KeyVersion,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self, RandomError> {
        Ok(Self::from_secret(id, version, Secret32::generate(rng)?))
    }

    /// Its id, in the header of everything it sealed.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Its version, from 1.
    pub const fn version(&self) -> KeyVersion {
        self.version
    }

    /// The 32 bytes in the clear: for the one place that stores them.
    pub fn expose_secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    /// Input key of the messages that hold CMK versions: the 32 bytes themselves.
    pub(crate) const fn input(&self) -> &InputKey {
        &self.input
    }

    fn from_secret(id: KeyId, version: KeyVersion, secret: Secret32) -> Self {
        Self {
            id,
            version,
            input: InputKey::new(secret.expose()),
            secret,
        }
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({} version {})", self.id, self.version)
    }
}

/// One version of a CMK: 32 random bytes from which the keys of its messages are derived.
///
/// Derivation is `HKDF-Expand-SHA512(secret, "sealward.dev/version/v1" ‖ 0x00 ‖ use ‖ 0x00 ‖ key id ‖ version, 32)`,
/// so that no two uses, keys or versions share a key even if they shared the 32 bytes.
pub struct VersionKey {
    key_id: KeyId,
    version: KeyVersion,
    secret: Secret32,
    /// Use `message`.
    message: InputKey,
    /// Use `audit`.
    audit: Hmac<Sha256>,
}

impl VersionKey {
    /// The version with these 32 bytes. The caller erases its own copy.
    pub fn new(key_id: KeyId, version: KeyVersion, secret: &[u8; 32]) -> Self {
        Self::from_secret(key_id, version, Secret32::new(secret))
    }

    /// Draws a new version. It must not seal anything before its sealed copy is stored.
    pub fn generate(
        key_id: KeyId,
        version: KeyVersion,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Self, RandomError> {
        Ok(Self::from_secret(key_id, version, Secret32::generate(rng)?))
    }

    /// The CMK that this is a version of.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Its number, from 1.
    pub const fn version(&self) -> KeyVersion {
        self.version
    }

    /// What stands for an encryption context in audit lines: HMAC-SHA256 of its encoding, under a key of this
    /// version, so that a line can be matched to a known context but a context cannot be guessed from the line.
    pub fn context_hash(&self, context: &EncryptionContext) -> [u8; 32] {
        let mut mac = self.audit.clone();
        mac.update(&context.encode());
        mac.finalize().into_bytes().into()
    }

    /// Input key of the messages under this version.
    pub(crate) const fn message(&self) -> &InputKey {
        &self.message
    }

    /// The 32 bytes in the clear: to be sealed under a root key, never to be used as a key.
    pub(crate) fn expose_secret(&self) -> &[u8; 32] {
        self.secret.expose()
    }

    fn from_secret(key_id: KeyId, version: KeyVersion, secret: Secret32) -> Self {
        let root = InputKey::new(secret.expose());
        let number = version.get().to_be_bytes();
        let derive = |usage: &[u8]| {
            root.expand32(&[
                b"sealward.dev/version/v1\0",
                usage,
                b"\0",
                key_id.as_bytes(),
                &number,
            ])
        };
        Self {
            key_id,
            version,
            message: InputKey::new(derive(b"message").expose()),
            audit: Hmac::new_from_slice(derive(b"audit").expose())
                .expect("HMAC takes keys of every length"),
            secret,
        }
    }
}

impl fmt::Debug for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionKey({} version {})", self.key_id, self.version)
    }
}

/// A data encryption key of 32 bytes: encrypts large data, and travels beside it under a CMK.
pub struct Dek(Secret32);

impl Dek {
    /// Its length in bytes.
    pub const LEN: usize = 32;

    /// Draws a new DEK.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self, RandomError> {
        Secret32::generate(rng).map(Self)
    }

    /// The DEK with these bytes; `None` unless there are 32. The caller erases its own copy.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes
            .try_into()
            .ok()
            .map(|bytes| Self(Secret32::new(bytes)))
    }

    /// The 32 bytes in the clear.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Input key of the message in an enveloped file: the 32 bytes themselves.
    pub(crate) fn input(&self) -> InputKey {
        InputKey::new(self.0.expose())
    }
}

impl fmt::Debug for Dek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dek(32 bytes)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let id = KeyId::from_bytes([1; 16]);
        let shown = format!(
            "{:?} {:?} {:?}",
            RootKey::new(id, KeyVersion::FIRST, &[0xab; 32]),
            VersionKey::new(id, KeyVersion::FIRST, &[0xab; 32]),
            Dek::from_slice(&[0xab; 32]).unwrap(),
        );
        assert!(!shown.to_lowercase().contains("abab"), "{shown}");
        assert!(!shown.contains("171"), "{shown}");
    }

    #[test]
    fn a_dek_has_32_bytes() {
        for len in [0, 16, 31, 33, 64] {
            assert!(Dek::from_slice(&vec![0; len]).is_none(), "{len}");
        }
    }

    #[test]
    fn context_hash_depends_on_context_key_and_version() {
        let id = KeyId::from_bytes([1; 16]);
        let two = KeyVersion::new(2).unwrap();
        let context = EncryptionContext::bytes(*b"tenant=a").unwrap();
        let hash = VersionKey::new(id, KeyVersion::FIRST, &[1; 32]).context_hash(&context);
        assert_eq!(
            hash,
            VersionKey::new(id, KeyVersion::FIRST, &[1; 32]).context_hash(&context)
        );
        for (key, context) in [
            (
                VersionKey::new(id, KeyVersion::FIRST, &[1; 32]),
                EncryptionContext::none(),
            ),
            (VersionKey::new(id, two, &[1; 32]), context.clone()),
            (
                VersionKey::new(KeyId::from_bytes([2; 16]), KeyVersion::FIRST, &[1; 32]),
                context.clone(),
            ),
            (VersionKey::new(id, KeyVersion::FIRST, &[2; 32]), context),
        ] {
            assert_ne!(key.context_hash(&context), hash);
        }
    }
}
