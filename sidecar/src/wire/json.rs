//! A reader for what the API's requests are: a JSON object (RFC 8259) of strings,
//! one of whose members may be an object of strings itself.
//!
//! It is its own and not `serde_json` for three reasons. Strings are unescaped in
//! place, so that no scratch buffer keeps a copy of a plaintext that nobody
//! erases. Every refusal can name its field. And a body of this shape needs no
//! recursion, no numbers and no skipping, which leaves little to get wrong; the
//! tests compare it with `serde_json` on arbitrary input.

use std::mem;

/// Why a body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// Not JSON, at this byte of the body.
    Syntax {
        /// Offset from the start of the body, in bytes.
        at: usize,
        /// What should have been there.
        expected: &'static str,
    },
    /// JSON, but not of the type that was asked for.
    Type {
        /// What was found.
        found: &'static str,
    },
}

/// The members of an object, read one after the other.
pub(crate) struct Members<'a> {
    rest: &'a mut [u8],
    /// How long the body was, for offsets.
    whole: usize,
    first: bool,
}

impl<'a> Members<'a> {
    /// Begins to read a body that is an object.
    pub(crate) fn of(body: &'a mut [u8]) -> Result<Self, JsonError> {
        let whole = body.len();
        let mut members = Self {
            rest: body,
            whole,
            first: true,
        };
        match members.peek() {
            Some(b'{') => members.skip(1),
            Some(_) => {
                // A JSON value of another type is as useless as none.
                return Err(members.syntax("an object"));
            }
            None => return Err(members.syntax("an object, the body is empty")),
        }
        Ok(members)
    }

    /// The next member's name, after which its value must be read; `None` at the
    /// end, after which nothing may follow.
    pub(crate) fn name(&mut self) -> Result<Option<&'a str>, JsonError> {
        let name = self.name_within()?;
        if name.is_none() && self.peek().is_some() {
            return Err(self.syntax("the end of the body"));
        }
        Ok(name)
    }

    /// The value of a member that is a string.
    pub(crate) fn string(&mut self) -> Result<&'a str, JsonError> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            other => Err(self.wrong_type(other)),
        }
    }

    /// The value of a member that is an object of strings, in its order.
    pub(crate) fn pairs(&mut self) -> Result<Vec<(&'a str, &'a str)>, JsonError> {
        match self.peek() {
            Some(b'{') => self.skip(1),
            other => return Err(self.wrong_type(other)),
        }
        let mut pairs = Vec::new();
        self.first = true;
        while let Some(name) = self.name_within()? {
            pairs.push((name, self.string()?));
        }
        self.first = false;
        Ok(pairs)
    }

    fn name_within(&mut self) -> Result<Option<&'a str>, JsonError> {
        let next = self.peek();
        if next == Some(b'}') {
            self.skip(1);
            return Ok(None);
        }
        if !mem::take(&mut self.first) {
            if next != Some(b',') {
                return Err(self.syntax("a comma or the end of the object"));
            }
            self.skip(1);
        }
        if self.peek() != Some(b'"') {
            return Err(self.syntax("a name in quotes"));
        }
        let name = self.quoted()?;
        if self.peek() != Some(b':') {
            return Err(self.syntax("a colon"));
        }
        self.skip(1);
        Ok(Some(name))
    }

    /// The next byte that is not white space, left where it is.
    fn peek(&mut self) -> Option<u8> {
        let blank = self
            .rest
            .iter()
            .take_while(|byte| b" \t\n\r".contains(byte))
            .count();
        self.skip(blank);
        self.rest.first().copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.take(bytes);
    }

    fn take(&mut self, bytes: usize) -> &'a mut [u8] {
        let (taken, rest) = mem::take(&mut self.rest).split_at_mut(bytes);
        self.rest = rest;
        taken
    }

    fn syntax(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax {
            at: self.whole - self.rest.len(),
            expected,
        }
    }

    fn wrong_type(&self, first: Option<u8>) -> JsonError {
        let found = match first {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => return self.syntax("a value"),
        };
        JsonError::Type { found }
    }

    /// Reads a string whose opening quote is next.
    fn quoted(&mut self) -> Result<&'a str, JsonError> {
        self.skip(1);
        let at = self.whole - self.rest.len();
        let (read, written) =
            unescape(self.rest).map_err(|(offset, expected)| JsonError::Syntax {
                at: at + offset,
                expected,
            })?;
        let string = self.take(read);
        // Whatever was written over stays inside the body, which is erased as a whole.
        std::str::from_utf8(&string[..written]).map_err(|error| JsonError::Syntax {
            at: at + error.valid_up_to(),
            expected: "UTF-8",
        })
    }
}

/// Unescapes, in place, the string at the front of `bytes` up to its closing quote.
/// Returns how many bytes were read, the quote included, and how many written.
fn unescape(bytes: &mut [u8]) -> Result<(usize, usize), (usize, &'static str)> {
    let (mut read, mut written) = (0, 0);
    loop {
        let run = plain_prefix(&bytes[read..]);
        if read != written {
            bytes.copy_within(read..read + run, written);
        }
        read += run;
        written += run;
        match bytes.get(read) {
            Some(b'"') => return Ok((read + 1, written)),
            Some(b'\\') => {
                let (character, length) =
                    escape(&bytes[read..]).map_err(|expected| (read, expected))?;
                let mut utf8 = [0; 4];
                let utf8 = character.encode_utf8(&mut utf8).as_bytes();
                // An escape is at least as long as what it stands for.
                bytes[written..written + utf8.len()].copy_from_slice(utf8);
                read += length;
                written += utf8.len();
            }
            Some(_) => return Err((read, "control characters to be escaped")),
            None => return Err((read, "a closing quote")),
        }
    }
}

/// The character that the escape at the front of `bytes` stands for, and its length.
fn escape(bytes: &[u8]) -> Result<(char, usize), &'static str> {
    let simple = match bytes.get(1) {
        Some(b'u') => return unicode_escape(bytes),
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => return Err("one of the escapes of JSON"),
    };
    Ok((simple, 2))
}

fn unicode_escape(bytes: &[u8]) -> Result<(char, usize), &'static str> {
    const DIGITS: &str = "four hexadecimal digits";
    const PAIR: &str = "surrogates in pairs";
    let unit = code_unit(bytes).ok_or(DIGITS)?;
    match unit {
        0xD800..=0xDBFF => {
            let low = bytes.get(6..).and_then(code_unit).ok_or(PAIR)?;
            if !(0xDC00..=0xDFFF).contains(&low) {
                return Err(PAIR);
            }
            let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            char::from_u32(scalar)
                .map(|character| (character, 12))
                .ok_or(PAIR)
        }
        _ => char::from_u32(unit)
            .map(|character| (character, 6))
            .ok_or(PAIR),
    }
}

/// The UTF-16 code unit of a `\uXXXX` at the front of `bytes`.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// How many bytes at the front of `bytes` stand for themselves in a JSON string.
///
/// Texts come in two kinds: kilobytes of base64 in one piece, and PEM, with a line
/// end every 64 bytes. The first go by in blocks without a branch inside, which
/// the compiler turns into vector instructions; the second end within a block, and
/// the end is found eight bytes at a time.
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<64>();
    let plain = |block: &&[u8; 64]| specials(*block) == 0;
    let skipped = blocks.iter().take_while(plain).count() * 64;
    let (words, tail) = bytes[skipped..].as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return skipped + number * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    skipped + words.len() * 8 + tail.iter().take_while(|byte| special(**byte) == 0).count()
}

/// How many bytes must be escaped in a JSON string.
pub(crate) fn count_special(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks::<64>();
    let counts = blocks.iter().map(|block| usize::from(specials(block)));
    counts.sum::<usize>() + usize::from(specials(tail))
}

/// The same, of at most 255 bytes, so that it never wraps: a check for overflow
/// would be a branch inside.
fn specials(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |count: u8, byte| count.wrapping_add(special(*byte)))
}

/// 1 for a byte that must be escaped in a JSON string, else 0.
const fn special(byte: u8) -> u8 {
    (byte < 0x20) as u8 | (byte == b'"') as u8 | (byte == b'\\') as u8
}

/// Sets the high bit of bytes that must be escaped. Exact up to the first of them,
/// counted from the low end: a borrow comes only out of a byte that is marked.
const fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quotes = word ^ (ONES * b'"' as u64);
    let backslashes = word ^ (ONES * b'\\' as u64);
    (below(word, 0x20) | below(quotes, 1) | below(backslashes, 1)) & HIGH
}

#[cfg(test)]
mod tests;
