//! Ciphertexts under a CMK version, and CMK versions under a root key: a header and one short message.

use rand_core::TryCryptoRng;

use crate::SecretBytes;
use crate::context::EncryptionContext;
use crate::error::{OpenError, SealError};
use crate::header::{Header, Purpose, Suite};
use crate::id::{KeyId, KeyVersion};
use crate::key::{RootKey, VersionKey};
use crate::message::{self, CHUNK, PREFIX, Salt, TAG};

/// How many bytes a ciphertext is longer than its plaintext.
pub const CIPHERTEXT_OVERHEAD: usize = Header::LEN + PREFIX + TAG;
/// The longest plaintext that fits into one chunk. The API takes less: 4096 bytes.
pub const MAX_PLAINTEXT: usize = CHUNK - 1;

const LABEL: &[u8] = b"sealward.dev/ciphertext/v1\0";

/// Seals data or a DEK under a CMK version, [`CIPHERTEXT_OVERHEAD`] bytes longer than it was.
///
/// # Errors
/// [`SealError::TooLong`] beyond [`MAX_PLAINTEXT`]; [`SealError::Random`].
pub fn seal(
    key: &VersionKey,
    purpose: Purpose,
    context: &EncryptionContext,
    plaintext: &[u8],
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>, SealError> {
    let salt = Salt::generate(rng)?;
    seal_with_salt(key, purpose, context, plaintext, &salt)
}

/// As [`seal`], with a salt from outside: for known answers only. A salt used twice under one key gives both messages away.
pub(crate) fn seal_with_salt(
    key: &VersionKey,
    purpose: Purpose,
    context: &EncryptionContext,
    plaintext: &[u8],
    salt: &Salt,
) -> Result<Vec<u8>, SealError> {
    let header = header_of(purpose, key.key_id(), key.version()).to_bytes();
    message::seal_short(
        key.message(),
        salt,
        [LABEL, &header, &context.encode()],
        &header,
        plaintext,
    )
}

/// Opens what [`seal`] made under exactly this version, purpose and context.
///
/// # Errors
/// [`OpenError::Malformed`] for bytes that no key could open; else [`OpenError::Authentication`], whether key, version, purpose or context is another or something was changed.
pub fn open(
    key: &VersionKey,
    purpose: Purpose,
    context: &EncryptionContext,
    ciphertext: &[u8],
) -> Result<SecretBytes, OpenError> {
    let expected = header_of(purpose, key.key_id(), key.version());
    let message = expect_header(expected, ciphertext)?;
    message::open_short(
        key.message(),
        [LABEL, &expected.to_bytes(), &context.encode()],
        message,
    )
}

/// Seals a CMK version under a root key. The context says which version it is, and all that is to be trusted of it.
pub fn seal_version(
    root: &RootKey,
    key: &VersionKey,
    context: &EncryptionContext,
    rng: &mut impl TryCryptoRng,
) -> Result<Vec<u8>, SealError> {
    let salt = Salt::generate(rng)?;
    let header = header_of(Purpose::Version, root.id(), root.version()).to_bytes();
    let context = context.encode();
    message::seal_short(
        root.input(),
        &salt,
        [LABEL, &header, &context],
        &header,
        key.expose_secret(),
    )
}

/// Opens what [`seal_version`] made. `key_id` and `version` must come from the same `context`, which is what proves them.
///
/// # Errors
/// As [`open`].
pub fn open_version(
    root: &RootKey,
    key_id: KeyId,
    version: KeyVersion,
    context: &EncryptionContext,
    blob: &[u8],
) -> Result<VersionKey, OpenError> {
    let expected = header_of(Purpose::Version, root.id(), root.version());
    let message = expect_header(expected, blob)?;
    let secret = message::open_short(
        root.input(),
        [LABEL, &expected.to_bytes(), &context.encode()],
        message,
    )?;
    let secret = secret
        .expose()
        .try_into()
        .map_err(|_| OpenError::Authentication)?;
    Ok(VersionKey::new(key_id, version, secret))
}

fn header_of(purpose: Purpose, key_id: KeyId, key_version: KeyVersion) -> Header {
    Header {
        suite: Suite::Cobblestone256,
        purpose,
        key_id,
        key_version,
    }
}

fn expect_header(expected: Header, ciphertext: &[u8]) -> Result<&[u8], OpenError> {
    let (header, message) = Header::parse(ciphertext)?;
    if header == expected {
        Ok(message)
    } else {
        Err(OpenError::Authentication)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;

    fn key() -> VersionKey {
        VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32])
    }

    fn context() -> EncryptionContext {
        EncryptionContext::bytes(*b"tenant=a").unwrap()
    }

    #[test]
    fn opens_what_it_sealed_and_adds_98_bytes() {
        for len in [0, 1, 4096, MAX_PLAINTEXT] {
            let plaintext = vec![b'p'; len];
            let sealed = seal(&key(), Purpose::Data, &context(), &plaintext, &mut SysRng).unwrap();
            assert_eq!(sealed.len(), len + 98);
            let opened = open(&key(), Purpose::Data, &context(), &sealed).unwrap();
            assert_eq!(opened.expose(), plaintext);
        }
        let too_long = vec![0; MAX_PLAINTEXT + 1];
        assert_eq!(
            seal(&key(), Purpose::Data, &context(), &too_long, &mut SysRng),
            Err(SealError::TooLong)
        );
    }

    #[test]
    fn never_gives_the_same_answer_twice() {
        let one = seal(&key(), Purpose::Data, &context(), b"x", &mut SysRng).unwrap();
        let two = seal(&key(), Purpose::Data, &context(), b"x", &mut SysRng).unwrap();
        assert_ne!(one, two);
    }

    #[test]
    fn another_key_version_purpose_or_context_is_an_authentication_failure() {
        let sealed = seal(&key(), Purpose::Dek, &context(), b"secret", &mut SysRng).unwrap();
        let two = KeyVersion::new(2).unwrap();
        let other_bytes = VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[6; 32]);
        let other_id = VersionKey::new(KeyId::from_bytes([4; 16]), KeyVersion::FIRST, &[5; 32]);
        let other_version = VersionKey::new(KeyId::from_bytes([3; 16]), two, &[5; 32]);
        let other_context = EncryptionContext::bytes(*b"tenant=b").unwrap();
        let as_map = EncryptionContext::map([("tenant".to_owned(), "a".to_owned())]).unwrap();
        for (key, purpose, context) in [
            (&other_bytes, Purpose::Dek, &context()),
            (&other_id, Purpose::Dek, &context()),
            (&other_version, Purpose::Dek, &context()),
            (&key(), Purpose::Data, &context()),
            (&key(), Purpose::Version, &context()),
            (&key(), Purpose::Dek, &other_context),
            (&key(), Purpose::Dek, &as_map),
            (&key(), Purpose::Dek, &EncryptionContext::none()),
        ] {
            assert_eq!(
                open(key, purpose, context, &sealed).unwrap_err(),
                OpenError::Authentication
            );
        }
    }

    #[test]
    fn a_changed_header_does_not_open_even_under_the_key_it_then_names() {
        let sealed = seal(&key(), Purpose::Data, &context(), b"secret", &mut SysRng).unwrap();
        let mut renamed = sealed.clone();
        renamed[5] = 2;
        assert_eq!(
            open(&key(), Purpose::Dek, &context(), &renamed).unwrap_err(),
            OpenError::Authentication
        );
        let mut renumbered = sealed;
        renumbered[25] = 2;
        let second = VersionKey::new(
            KeyId::from_bytes([3; 16]),
            KeyVersion::new(2).unwrap(),
            &[5; 32],
        );
        assert_eq!(
            open(&second, Purpose::Data, &context(), &renumbered).unwrap_err(),
            OpenError::Authentication
        );
    }

    #[test]
    fn every_cut_and_every_appended_byte_is_refused() {
        let sealed = seal(&key(), Purpose::Data, &context(), b"secret", &mut SysRng).unwrap();
        for len in 0..sealed.len() {
            assert!(
                open(&key(), Purpose::Data, &context(), &sealed[..len]).is_err(),
                "{len}"
            );
        }
        let mut longer = sealed.clone();
        longer.push(0);
        assert!(open(&key(), Purpose::Data, &context(), &longer).is_err());
        let mut two_chunks = sealed;
        two_chunks.resize(98 + CHUNK, 0);
        assert!(open(&key(), Purpose::Data, &context(), &two_chunks).is_err());
    }

    #[test]
    fn a_version_opens_under_its_root_key_and_context_only() {
        let root =
            RootKey::generate(KeyId::from_bytes([9; 16]), KeyVersion::FIRST, &mut SysRng).unwrap();
        let blob = seal_version(&root, &key(), &context(), &mut SysRng).unwrap();
        let opened =
            open_version(&root, key().key_id(), key().version(), &context(), &blob).unwrap();
        assert_eq!(opened.expose_secret(), key().expose_secret());
        let sealed = seal(&key(), Purpose::Data, &context(), b"x", &mut SysRng).unwrap();
        assert_eq!(
            open(&opened, Purpose::Data, &context(), &sealed)
                .unwrap()
                .expose(),
            b"x"
        );

        let none = EncryptionContext::none();
        assert!(open_version(&root, key().key_id(), key().version(), &none, &blob).is_err());
        let other = RootKey::generate(root.id(), root.version(), &mut SysRng).unwrap();
        assert!(open_version(&other, key().key_id(), key().version(), &context(), &blob).is_err());
    }
}
