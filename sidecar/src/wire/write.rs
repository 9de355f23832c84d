//! Writes answers straight into the buffer that goes out.

use hex_simd::{AsciiCase, Out};
use sealward_core::KeyId;

use super::json::{count_special, plain_prefix};
use crate::erased::Erased;

/// A JSON object in the making. Names are ours and need no escaping.
pub(crate) struct Object {
    out: Erased,
    separator: u8,
}

impl Object {
    /// Begins an object that will have about `capacity` bytes. More is possible,
    /// at the price of a copy.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self::onto(Erased::with_capacity(capacity))
    }

    /// Begins an object at the end of what is there.
    pub(crate) fn onto(out: Erased) -> Self {
        Self {
            out,
            separator: b'{',
        }
    }

    pub(crate) fn string(mut self, name: &str, value: Text<'_>) -> Self {
        self.name(name, value.len());
        value.push(&mut self.out);
        self
    }

    pub(crate) fn id(mut self, name: &str, id: &KeyId) -> Self {
        self.name(name, 38);
        self.out.extend(b"\"");
        self.out.extend(&id_text(id));
        self.out.extend(b"\"");
        self
    }

    /// A string that is known to need no escaping: a UUID, a number.
    pub(crate) fn plain(mut self, name: &str, value: &str) -> Self {
        self.name(name, value.len() + 2);
        self.out.extend(b"\"");
        self.out.extend(value.as_bytes());
        self.out.extend(b"\"");
        self
    }

    pub(crate) fn base64(mut self, name: &str, bytes: &[u8]) -> Self {
        // Four characters for three bytes, and two quotes.
        let room = bytes.len().div_ceil(3) * 4 + 2;
        self.name(name, room);
        self.out.extend(b"\"");
        base64_simd::STANDARD.encode_append(bytes, self.out.vec_mut());
        self.out.extend(b"\"");
        self
    }

    /// Upper case, as in the examples of the API.
    pub(crate) fn hex(mut self, name: &str, bytes: &[u8]) -> Self {
        self.name(name, bytes.len() * 2 + 2);
        self.out.extend(b"\"");
        hex_simd::encode_append(bytes, self.out.vec_mut(), AsciiCase::Upper);
        self.out.extend(b"\"");
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        let digits = value.to_string();
        self.name(name, digits.len());
        self.out.extend(digits.as_bytes());
        self
    }

    /// A value that `write` appends, which must be one JSON value.
    pub(crate) fn with(mut self, name: &str, write: impl FnOnce(Erased) -> Erased) -> Self {
        self.name(name, 64);
        self.out = write(self.out);
        self
    }

    pub(crate) fn end(mut self) -> Erased {
        if self.separator == b'{' {
            self.out.extend(b"{");
        }
        self.out.extend(b"}");
        self.out
    }

    /// Writes the name, having made room for a value of `room` bytes after it.
    fn name(&mut self, name: &str, room: usize) {
        self.out.reserve(name.len() + room + 5);
        self.out.extend(&[self.separator, b'"']);
        self.out.extend(name.as_bytes());
        self.out.extend(b"\":");
        self.separator = b',';
    }
}

/// A text that was looked through for what a JSON string must escape: once, since
/// with 4 KB that is a good part of what an answer costs.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    whole: &'a str,
    /// How much of its front stands for itself.
    plain: usize,
    /// At least how long it is as a JSON string, quotes included.
    len: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let plain = plain_prefix(bytes);
        // An escape is at most six characters; exact lengths are of no use for a capacity.
        let escapes = count_special(&bytes[plain..]);
        Self {
            whole: text,
            plain,
            len: bytes.len() + escapes * 5 + 2,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Appends it as a JSON string.
    pub(crate) fn push(self, out: &mut Erased) {
        out.reserve(self.len);
        out.extend(b"\"");
        let (mut plain, mut rest) = self.whole.as_bytes().split_at(self.plain);
        loop {
            out.extend(plain);
            let Some((byte, after)) = rest.split_first() else {
                break;
            };
            push_escape(out, *byte);
            (plain, rest) = after.split_at(plain_prefix(after));
        }
        out.extend(b"\"");
    }
}

fn push_escape(out: &mut Erased, byte: u8) {
    match byte {
        b'"' => out.extend(b"\\\""),
        b'\\' => out.extend(b"\\\\"),
        b'\n' => out.extend(b"\\n"),
        b'\r' => out.extend(b"\\r"),
        b'\t' => out.extend(b"\\t"),
        control => {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
            out.extend(&[b'\\', b'u', b'0', b'0', digit(control >> 4), digit(control)]);
        }
    }
}

/// A UUID in its 36 characters.
pub(crate) fn id_text(id: &KeyId) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut digits = [0; 32];
    let _ = hex_simd::encode(
        id.as_bytes(),
        Out::from_slice(&mut digits),
        AsciiCase::Lower,
    );
    for (to, from) in [
        (0..8, 0..8),
        (9..13, 8..12),
        (14..18, 12..16),
        (19..23, 16..20),
        (24..36, 20..32),
    ] {
        text[to].copy_from_slice(&digits[from]);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_an_object() {
        let out = Object::with_capacity(8)
            .string("a", Text::new("x\"\\\n\r\t\u{1}\u{1f}é😀"))
            .plain("b", "7")
            .base64("c", b"\xff\xfe")
            .hex("d", b"\xab\x01")
            .number("e", 12)
            .with("f", |out| Object::onto(out).end())
            .end();
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "{\"a\":\"x\\\"\\\\\\n\\r\\t\\u0001\\u001fé😀\",\"b\":\"7\",\"c\":\"//4=\",\"d\":\"AB01\",\
             \"e\":12,\"f\":{}}"
        );
    }

    proptest! {
        #[test]
        fn every_string_reads_back(text in any::<String>()) {
            let value = Text::new(&text);
            let mut out = Erased::with_capacity(value.len());
            let room = out.vec_mut().capacity();
            value.push(&mut out);
            prop_assert_eq!(out.vec_mut().capacity(), room, "the length was underestimated");
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn ids_are_written_as_they_are_displayed(bytes in any::<[u8; 16]>()) {
            let id = KeyId::from_bytes(bytes);
            prop_assert_eq!(id_text(&id).to_vec(), id.to_string().into_bytes());
        }
    }
}
