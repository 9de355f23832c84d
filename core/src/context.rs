//! What a caller binds to a ciphertext, in its single canonical encoding.
//!
//! `tag ‖ parts`: tag 0 is none and has no parts, tag 1 is bytes and has one part, tag 2 is a map and has the
//! parts key, value, key, value, sorted by key bytes. A part is its length (u32, big endian) and its bytes.
//! Empty bytes and the empty map are none, so that each value has one encoding.

use std::collections::BTreeMap;

use crate::error::ContextError;

/// The most bytes that an encoded context may have: twice what the HTTP API takes (8192 characters of map,
/// with the lengths of its parts), so that nothing from outside makes us hold more.
pub const MAX_ENCODED: usize = 64 * 1024;

const TAG_NONE: u8 = 0;
const TAG_BYTES: u8 = 1;
const TAG_MAP: u8 = 2;

/// Data that is not encrypted, but without which a ciphertext does not open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(Value);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Value {
    #[default]
    None,
    /// Never empty.
    Bytes(Vec<u8>),
    /// Never empty.
    Map(BTreeMap<String, String>),
}

impl EncryptionContext {
    /// No context.
    pub const fn none() -> Self {
        Self(Value::None)
    }

    /// A string of bytes: the API's `additional_authenticated_data`. Empty bytes are no context.
    ///
    /// # Errors
    /// [`ContextError::TooLong`] beyond [`MAX_ENCODED`].
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, ContextError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Ok(Self::none());
        }
        Self(Value::Bytes(bytes)).checked()
    }

    /// Pairs of name and value: the API's `encryption_context`. No pairs are no context.
    ///
    /// # Errors
    /// [`ContextError::DuplicateName`], [`ContextError::TooLong`].
    pub fn map(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ContextError> {
        let mut map = BTreeMap::new();
        for (name, value) in pairs {
            if map.insert(name, value).is_some() {
                return Err(ContextError::DuplicateName);
            }
        }
        if map.is_empty() {
            return Ok(Self::none());
        }
        Self(Value::Map(map)).checked()
    }

    /// Whether there is no context.
    pub fn is_none(&self) -> bool {
        self.0 == Value::None
    }

    /// The pairs, where this is a map.
    pub fn as_map(&self) -> Option<&BTreeMap<String, String>> {
        match &self.0 {
            Value::Map(map) => Some(map),
            Value::None | Value::Bytes(_) => None,
        }
    }

    /// The one encoding of this value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        match &self.0 {
            Value::None => out.push(TAG_NONE),
            Value::Bytes(bytes) => {
                out.push(TAG_BYTES);
                push_part(&mut out, bytes);
            }
            Value::Map(map) => {
                out.push(TAG_MAP);
                for (name, value) in map {
                    push_part(&mut out, name.as_bytes());
                    push_part(&mut out, value.as_bytes());
                }
            }
        }
        out
    }

    /// Reads what [`encode`](Self::encode) wrote, and nothing else.
    ///
    /// # Errors
    /// [`ContextError::Encoding`] for any other spelling of a value, [`ContextError::TooLong`].
    pub fn decode(encoded: &[u8]) -> Result<Self, ContextError> {
        if encoded.len() > MAX_ENCODED {
            return Err(ContextError::TooLong);
        }
        let (tag, mut rest) = encoded.split_first().ok_or(ContextError::Encoding)?;
        let context = match *tag {
            TAG_NONE => Self::none(),
            TAG_BYTES => Self(Value::Bytes(take_part(&mut rest)?.to_vec())),
            TAG_MAP => {
                let mut map = BTreeMap::new();
                while !rest.is_empty() {
                    let name = take_string(&mut rest)?;
                    map.insert(name, take_string(&mut rest)?);
                }
                Self(Value::Map(map))
            }
            _ => return Err(ContextError::Encoding),
        };
        // Order, duplicates, trailing bytes and empty values need no rules of their own: what does not come out as it went in is not canonical.
        let canonical = match &context.0 {
            Value::Bytes(bytes) if bytes.is_empty() => false,
            Value::Map(map) if map.is_empty() => false,
            _ => context.encode() == encoded,
        };
        if canonical {
            Ok(context)
        } else {
            Err(ContextError::Encoding)
        }
    }

    fn checked(self) -> Result<Self, ContextError> {
        if self.encoded_len() > MAX_ENCODED {
            return Err(ContextError::TooLong);
        }
        Ok(self)
    }

    fn encoded_len(&self) -> usize {
        let parts = match &self.0 {
            Value::None => 0,
            Value::Bytes(bytes) => part_len(bytes),
            Value::Map(map) => map.iter().fold(0_usize, |sum, (name, value)| {
                sum.saturating_add(part_len(name.as_bytes()))
                    .saturating_add(part_len(value.as_bytes()))
            }),
        };
        parts.saturating_add(1)
    }
}

fn part_len(part: &[u8]) -> usize {
    part.len().saturating_add(4)
}

fn push_part(out: &mut Vec<u8>, part: &[u8]) {
    let len =
        u32::try_from(part.len()).expect("a context is checked to be at most MAX_ENCODED bytes");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(part);
}

fn take_part<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ContextError> {
    let (len, tail) = rest
        .split_first_chunk::<4>()
        .ok_or(ContextError::Encoding)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| ContextError::Encoding)?;
    let (part, tail) = tail.split_at_checked(len).ok_or(ContextError::Encoding)?;
    *rest = tail;
    Ok(part)
}

fn take_string(rest: &mut &[u8]) -> Result<String, ContextError> {
    String::from_utf8(take_part(rest)?.to_vec()).map_err(|_| ContextError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Result<EncryptionContext, ContextError> {
        EncryptionContext::map(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn encodes_as_documented() {
        assert_eq!(EncryptionContext::none().encode(), [0]);
        assert_eq!(
            EncryptionContext::bytes(*b"a=b").unwrap().encode(),
            b"\x01\0\0\0\x03a=b"
        );
        assert_eq!(
            map(&[("b", "2"), ("a", "")]).unwrap().encode(),
            b"\x02\0\0\0\x01a\0\0\0\0\0\0\0\x01b\0\0\0\x012"
        );
    }

    #[test]
    fn empty_is_none() {
        assert!(EncryptionContext::bytes(Vec::new()).unwrap().is_none());
        assert!(map(&[]).unwrap().is_none());
    }

    #[test]
    fn bytes_and_map_never_encode_alike() {
        assert_ne!(
            map(&[("a", "b")]).unwrap().encode(),
            EncryptionContext::bytes(*b"a=b").unwrap().encode()
        );
        assert_ne!(
            map(&[("ab", "c")]).unwrap().encode(),
            map(&[("a", "bc")]).unwrap().encode()
        );
    }

    #[test]
    fn refuses_duplicate_names() {
        assert_eq!(
            map(&[("a", "1"), ("a", "1")]),
            Err(ContextError::DuplicateName)
        );
    }

    #[test]
    fn refuses_more_than_the_limit() {
        assert!(EncryptionContext::bytes(vec![0; MAX_ENCODED - 5]).is_ok());
        assert_eq!(
            EncryptionContext::bytes(vec![0; MAX_ENCODED - 4]),
            Err(ContextError::TooLong)
        );
        let long = "x".repeat(MAX_ENCODED);
        assert_eq!(map(&[("a", &long)]), Err(ContextError::TooLong));
        assert_eq!(
            EncryptionContext::decode(&vec![0; MAX_ENCODED + 1]),
            Err(ContextError::TooLong)
        );
    }

    #[test]
    fn refuses_every_other_encoding() {
        let bad: &[&[u8]] = &[
            b"",                                           // no tag
            b"\x03",                                       // unknown tag
            b"\x00\x00",                                   // trailing byte after none
            b"\x01",                                       // no part
            b"\x01\0\0\0\0",                               // empty bytes are none
            b"\x01\0\0\0\x02a",                            // cut part
            b"\x01\xff\xff\xff\xffa",                      // length beyond the end
            b"\x01\0\0\0\x01aa",                           // trailing byte
            b"\x02",                                       // the empty map is none
            b"\x02\0\0\0\x01a",                            // a name without a value
            b"\x02\0\0\0\x01b\0\0\0\0\0\0\0\x01a\0\0\0\0", // not sorted
            b"\x02\0\0\0\x01a\0\0\0\0\0\0\0\x01a\0\0\0\0", // a name twice
            b"\x02\0\0\0\x01\xff\0\0\0\0",                 // not UTF-8
        ];
        for encoded in bad {
            assert_eq!(
                EncryptionContext::decode(encoded),
                Err(ContextError::Encoding),
                "{encoded:02x?}"
            );
        }
    }
}
