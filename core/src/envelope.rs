//! The enveloped file: `SWF1 ‖ u16 length ‖ ciphertext DEK ‖ message under the DEK`.
//!
//! All the bytes before the message, and the caller's encryption context, are bound to it, so nothing in front can
//! be swapped. The message is opened as a stream ([`Opener`]) or at any place ([`OpenReader`](crate::OpenReader)).

use rand_core::TryCryptoRng;

use crate::ciphertext::CIPHERTEXT_OVERHEAD;
use crate::context::EncryptionContext;
use crate::error::{Malformed, OpenError, SealError};
use crate::header::{Header, Purpose, Suite};
use crate::key::Dek;
use crate::message::{Backend, Opener, PREFIX, Salt, Sealer};

const LABEL: &[u8] = b"sealward.dev/file/v1\0";
/// The length of a ciphertext DEK of 32 bytes in suite 1.
const CIPHERTEXT_DEK: usize = CIPHERTEXT_OVERHEAD + Dek::LEN;
const CIPHERTEXT_DEK_U16: [u8; 2] = [0, 130];
const _: () = assert!(CIPHERTEXT_DEK == 130);

/// What stands before the message: which DEK encrypted it, itself encrypted under a CMK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    ciphertext_dek: [u8; CIPHERTEXT_DEK],
}

impl FileHeader {
    /// The first four bytes of every enveloped file.
    pub const MAGIC: [u8; 4] = *b"SWF1";
    /// Its length in bytes.
    pub const LEN: usize = 4 + 2 + CIPHERTEXT_DEK;

    /// The header for a ciphertext DEK as the endpoint gave it.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] unless it is a DEK of 32 bytes under a CMK.
    pub fn new(ciphertext_dek: &[u8]) -> Result<Self, OpenError> {
        let ciphertext_dek: [u8; CIPHERTEXT_DEK] =
            ciphertext_dek.try_into().map_err(|_| Malformed::Length)?;
        let (header, _) = Header::parse(&ciphertext_dek)?;
        match (header.suite, header.purpose) {
            (Suite::Cobblestone256, Purpose::Dek) => Ok(Self { ciphertext_dek }),
            (_, Purpose::Data) => Err(Malformed::Purpose(1).into()),
            (_, Purpose::Version) => Err(Malformed::Purpose(3).into()),
        }
    }

    /// Reads the header at the front of a file. Nothing is authenticated yet.
    pub fn parse(bytes: &[u8; Self::LEN]) -> Result<Self, OpenError> {
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Length)?;
        if *magic != Self::MAGIC {
            return Err(Malformed::Magic.into());
        }
        let (len, ciphertext_dek) = rest.split_first_chunk::<2>().ok_or(Malformed::Length)?;
        // The header of the ciphertext DEK is looked at first: a suite of a later release is better said than "length".
        let header = Self::new(ciphertext_dek)?;
        if *len != CIPHERTEXT_DEK_U16 {
            return Err(Malformed::Length.into());
        }
        Ok(header)
    }

    /// The ciphertext DEK, to be decrypted by whoever has the CMK.
    pub fn ciphertext_dek(&self) -> &[u8] {
        &self.ciphertext_dek
    }

    /// The bytes that stand at the front of the file.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (magic, rest) = bytes.split_at_mut(4);
        let (len, dek) = rest.split_at_mut(2);
        magic.copy_from_slice(&Self::MAGIC);
        len.copy_from_slice(&CIPHERTEXT_DEK_U16);
        dek.copy_from_slice(&self.ciphertext_dek);
        bytes
    }
}

/// Begins to seal a file: header, the prefix given here, then what the [`Sealer`] makes.
///
/// `dek` must be fresh: one file a DEK. `context` is the one with which the DEK was sealed.
pub fn sealer(
    header: &FileHeader,
    dek: &Dek,
    context: &EncryptionContext,
    rng: &mut impl TryCryptoRng,
) -> Result<(Sealer, [u8; PREFIX]), SealError> {
    let salt = Salt::generate(rng)?;
    Ok(sealer_with(header, dek, context, &salt, Backend::default()))
}

/// As [`sealer`], with the salt and the implementation from outside: for known answers and comparisons only.
#[doc(hidden)]
pub fn sealer_with(
    header: &FileHeader,
    dek: &Dek,
    context: &EncryptionContext,
    salt: &Salt,
    backend: Backend,
) -> (Sealer, [u8; PREFIX]) {
    Sealer::new(
        &dek.input(),
        salt,
        [LABEL, &header.to_bytes(), &context.encode()],
        backend,
    )
}

/// Begins to open a file: `prefix` is what follows the header.
///
/// # Errors
/// [`OpenError::Authentication`] if key, header or context is another than that of the file.
pub fn opener(
    header: &FileHeader,
    dek: &Dek,
    context: &EncryptionContext,
    prefix: &[u8; PREFIX],
) -> Result<Opener, OpenError> {
    opener_with(header, dek, context, prefix, Backend::default())
}

/// As [`opener`], with the implementation from outside: for comparisons only.
#[doc(hidden)]
pub fn opener_with(
    header: &FileHeader,
    dek: &Dek,
    context: &EncryptionContext,
    prefix: &[u8; PREFIX],
    backend: Backend,
) -> Result<Opener, OpenError> {
    Opener::new(
        &dek.input(),
        prefix,
        [LABEL, &header.to_bytes(), &context.encode()],
        backend,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyId, KeyVersion, VersionKey, seal};
    use getrandom::SysRng;

    fn key() -> VersionKey {
        VersionKey::new(KeyId::from_bytes([3; 16]), KeyVersion::FIRST, &[5; 32])
    }

    #[test]
    fn header_parses_what_it_writes() {
        let sealed = seal(
            &key(),
            Purpose::Dek,
            &EncryptionContext::none(),
            &[1; 32],
            &mut SysRng,
        )
        .unwrap();
        let header = FileHeader::new(&sealed).unwrap();
        assert_eq!(header.ciphertext_dek(), sealed);
        assert_eq!(FileHeader::parse(&header.to_bytes()).unwrap(), header);
        assert_eq!(FileHeader::LEN, 136);
    }

    #[test]
    fn header_refuses_what_is_no_dek_of_32_bytes() {
        let none = EncryptionContext::none();
        let short = seal(&key(), Purpose::Dek, &none, &[1; 16], &mut SysRng).unwrap();
        assert_eq!(
            FileHeader::new(&short).unwrap_err(),
            Malformed::Length.into()
        );
        let data = seal(&key(), Purpose::Data, &none, &[1; 32], &mut SysRng).unwrap();
        assert_eq!(
            FileHeader::new(&data).unwrap_err(),
            Malformed::Purpose(1).into()
        );

        let dek = seal(&key(), Purpose::Dek, &none, &[1; 32], &mut SysRng).unwrap();
        let good = FileHeader::new(&dek).unwrap().to_bytes();
        for (at, byte, error) in [
            (0, b'X', Malformed::Magic),
            (4, 1, Malformed::Length),
            (5, 129, Malformed::Length),
            (6, b'X', Malformed::Magic),
            (10, 2, Malformed::Suite(2)),
            (11, 3, Malformed::Purpose(3)),
        ] {
            let mut bad = good;
            bad[at] = byte;
            assert_eq!(
                FileHeader::parse(&bad).unwrap_err(),
                error.into(),
                "byte {at}"
            );
        }
    }

    #[test]
    fn opens_only_with_its_own_header_dek_and_context() {
        let none = EncryptionContext::none();
        let context = EncryptionContext::bytes(*b"video").unwrap();
        let make = || {
            FileHeader::new(&seal(&key(), Purpose::Dek, &context, &[1; 32], &mut SysRng).unwrap())
                .unwrap()
        };
        let (header, other) = (make(), make());
        let dek = Dek::from_slice(&[1; 32]).unwrap();
        let (sealer, prefix) = sealer(&header, &dek, &context, &mut SysRng).unwrap();
        let mut last = b"short".to_vec();
        sealer.finish(&mut last).unwrap();

        let mut bytes = last.clone();
        opener(&header, &dek, &context, &prefix)
            .unwrap()
            .finish(&mut bytes)
            .unwrap();
        assert_eq!(bytes, b"short");
        let wrong = Dek::from_slice(&[2; 32]).unwrap();
        for (header, dek, context) in [
            (&other, &dek, &context),
            (&header, &wrong, &context),
            (&header, &dek, &none),
        ] {
            assert_eq!(
                opener(header, dek, context, &prefix).err(),
                Some(OpenError::Authentication)
            );
        }
    }
}
