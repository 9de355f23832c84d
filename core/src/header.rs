//! The 26 bytes before every message under a CMK version or a root key.

use crate::error::{Malformed, OpenError};
use crate::id::{KeyId, KeyVersion};

/// How a message is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// 1: Cobblestone-256 under a CMK version (or, for purpose 3, under a root key).
    Cobblestone256,
}

impl Suite {
    const fn byte(self) -> u8 {
        match self {
            Self::Cobblestone256 => 1,
        }
    }
}

/// What a message holds. It is authenticated: a DEK never opens as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// 1: a caller's data.
    Data,
    /// 2: a data encryption key.
    Dek,
    /// 3: a CMK version under a root key.
    Version,
}

impl Purpose {
    const fn byte(self) -> u8 {
        match self {
            Self::Data => 1,
            Self::Dek => 2,
            Self::Version => 3,
        }
    }
}

/// Says under which key a ciphertext was sealed, how, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the message is sealed.
    pub suite: Suite,
    /// What the message holds.
    pub purpose: Purpose,
    /// The CMK, or for [`Purpose::Version`] the root key.
    pub key_id: KeyId,
    /// The version of that key.
    pub key_version: KeyVersion,
}

impl Header {
    /// The first four bytes of every ciphertext.
    pub const MAGIC: [u8; 4] = *b"SWC1";
    /// Its length in bytes.
    pub const LEN: usize = 26;

    /// Reads the header at the front of a ciphertext, and gives what follows it.
    ///
    /// Nothing is authenticated yet: use it only to find the key.
    pub fn parse(ciphertext: &[u8]) -> Result<(Self, &[u8]), OpenError> {
        let (magic, rest) = ciphertext
            .split_first_chunk::<4>()
            .ok_or(Malformed::Length)?;
        if *magic != Self::MAGIC {
            return Err(Malformed::Magic.into());
        }
        let ([suite, purpose], rest) = rest.split_first_chunk::<2>().ok_or(Malformed::Length)?;
        let (key_id, rest) = rest.split_first_chunk::<16>().ok_or(Malformed::Length)?;
        let (key_version, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::Length)?;
        let header = Self {
            suite: match suite {
                1 => Suite::Cobblestone256,
                other => return Err(Malformed::Suite(*other).into()),
            },
            purpose: match purpose {
                1 => Purpose::Data,
                2 => Purpose::Dek,
                3 => Purpose::Version,
                other => return Err(Malformed::Purpose(*other).into()),
            },
            key_id: KeyId::from_bytes(*key_id),
            key_version: KeyVersion::new(u32::from_be_bytes(*key_version))
                .ok_or(Malformed::KeyVersion)?,
        };
        Ok((header, rest))
    }

    /// The bytes that stand at the front of the ciphertext.
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let [m0, m1, m2, m3] = Self::MAGIC;
        let [v0, v1, v2, v3] = self.key_version.get().to_be_bytes();
        let mut bytes = [0; Self::LEN];
        let (front, rest) = bytes.split_at_mut(6);
        let (id, version) = rest.split_at_mut(16);
        front.copy_from_slice(&[m0, m1, m2, m3, self.suite.byte(), self.purpose.byte()]);
        id.copy_from_slice(self.key_id.as_bytes());
        version.copy_from_slice(&[v0, v1, v2, v3]);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: &[u8; 26] =
        b"SWC1\x01\x02\x01\x91\xd1\xa2\x7f\x5e\x7c\x3a\x8b\x1d\x2f\x6a\x9c\x0e\x4b\x71\0\0\x01\x02";

    #[test]
    fn parses_what_it_writes() {
        let (header, rest) = Header::parse(BYTES).unwrap();
        assert!(rest.is_empty());
        assert_eq!(header.suite, Suite::Cobblestone256);
        assert_eq!(header.purpose, Purpose::Dek);
        assert_eq!(
            header.key_id.to_string(),
            "0191d1a2-7f5e-7c3a-8b1d-2f6a9c0e4b71"
        );
        assert_eq!(header.key_version.get(), 258);
        assert_eq!(&header.to_bytes(), BYTES);
    }

    #[test]
    fn refuses_what_is_no_header() {
        let changed = |at: usize, byte: u8| {
            let mut bytes = *BYTES;
            bytes[at] = byte;
            Header::parse(&bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(changed(0, b'X'), Malformed::Magic.into());
        assert_eq!(changed(3, b'2'), Malformed::Magic.into());
        assert_eq!(changed(4, 0), Malformed::Suite(0).into());
        assert_eq!(changed(4, 2), Malformed::Suite(2).into());
        assert_eq!(changed(5, 0), Malformed::Purpose(0).into());
        assert_eq!(changed(5, 4), Malformed::Purpose(4).into());
        let mut zero = *BYTES;
        zero[22..].fill(0);
        assert_eq!(
            Header::parse(&zero).unwrap_err(),
            Malformed::KeyVersion.into()
        );
        for len in 0..Header::LEN {
            assert_eq!(
                Header::parse(&BYTES[..len]).unwrap_err(),
                Malformed::Length.into(),
                "{len}"
            );
        }
    }
}
