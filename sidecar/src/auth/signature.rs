//! The request signature of Huawei's SDKs, `SDK-HMAC-SHA256`.
//!
//! `signature = HMAC-SHA256(SK, "SDK-HMAC-SHA256" \n date \n hex(SHA-256(canonical request)))`,
//! where the canonical request is method, path, query, signed headers, their
//! names, and the hash of the body. The SDK's `X-Sdk-Content-Sha256`, which would
//! let a body go unsigned, is not honoured: what is hashed is what came.

use std::time::Duration;

use hex_simd::AsciiCase;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::{CallerToken, bad_credential, strip_scheme};
use crate::error::{ApiError, Code};

/// How far the date of a signature may be from our clock, either way.
const WINDOW: Duration = Duration::from_mins(5);

/// SDKs sign five headers; this many is somebody else.
const MAX_SIGNED_HEADERS: usize = 32;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
const DATE: &str = "x-sdk-date";

/// The content of an `Authorization` header with this algorithm.
#[derive(Debug)]
pub(crate) struct Signature<'a> {
    signed_headers: &'a str,
    signature: [u8; 32],
}

impl<'a> Signature<'a> {
    /// Parses `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`.
    ///
    /// # Errors
    /// KMS.0302, saying what is not as it must be.
    pub(crate) fn parse(authorization: &'a [u8]) -> Result<Self, ApiError> {
        let Some(parameters) = strip_scheme(authorization, b"SDK-HMAC-SHA256 ") else {
            return Err(malformed(
                "only Bearer and SDK-HMAC-SHA256 are taken in Authorization; V11-HMAC-SHA256 and \
                 other algorithms are not",
            ));
        };
        let parameters = std::str::from_utf8(parameters)
            .map_err(|_| malformed("the signature is not in ASCII"))?;
        let (mut access, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters.split(',') {
            let (name, value) = parameter.trim().split_once('=').unwrap_or_default();
            let slot = match name {
                "Access" => &mut access,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed("the signature has an unknown parameter")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("the signature has a parameter twice"));
            }
        }
        let (Some(_), Some(signed_headers), Some(digits)) = (access, signed_headers, signature)
        else {
            return Err(malformed(
                "the signature needs Access, SignedHeaders and Signature",
            ));
        };
        let mut signature = [0; 32];
        if digits.len() != 64
            || hex_simd::decode(digits.as_bytes(), hex_simd::Out::from_slice(&mut signature))
                .is_err()
        {
            return Err(malformed("Signature must be 64 hexadecimal digits"));
        }
        Ok(Self {
            signed_headers,
            signature,
        })
    }

    /// Checks what needs neither body nor token: that the signature covers
    /// the date, and that it is fresh.
    ///
    /// # Errors
    /// KMS.0302 where something is not covered, KMS.0303 where the date is too far off.
    pub(crate) fn check_scope(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), ApiError> {
        let covered = |name| self.signed_headers.split(';').any(|signed| signed == name);
        // The host need not be covered: Go's SDK, and so sops, signs without it (docs/adr/0005). A signature for
        // another server does not do here all the same, since its secret key is not our token.
        if !covered(DATE) {
            return Err(malformed("SignedHeaders must hold x-sdk-date"));
        }
        let date = parse_date(single(headers, DATE)?)
            .ok_or_else(|| malformed("X-Sdk-Date must look like 20261124T011405Z"))?;
        if date.duration_since(now).unsigned_abs() > WINDOW {
            return Err(ApiError::new(
                Code::OldSignature,
                "X-Sdk-Date is more than 5 minutes from the time here: sign anew, or set the clock",
            ));
        }
        Ok(())
    }

    /// Checks the signature over the request as it came.
    ///
    /// # Errors
    /// KMS.0302.
    pub(crate) fn check(
        &self,
        parts: &Parts,
        body: &[u8],
        token: &CallerToken,
    ) -> Result<(), ApiError> {
        let mut hash = Sha256::new();
        hash.update(parts.method.as_str());
        hash.update(b"\n");
        hash.update(canonical_path(parts.uri.path()));
        hash.update(b"\n");
        hash.update(canonical_query(parts.uri.query().unwrap_or_default()));
        hash.update(b"\n");
        for (number, name) in self.signed_headers.split(';').enumerate() {
            if number >= MAX_SIGNED_HEADERS {
                return Err(malformed("SignedHeaders are too many"));
            }
            hash.update(name);
            hash.update(b":");
            hash.update(single(&parts.headers, name)?.as_bytes().trim_ascii());
            hash.update(b"\n");
        }
        hash.update(b"\n");
        hash.update(self.signed_headers);
        hash.update(b"\n");
        hash.update(hex(&Sha256::digest(body)));

        let date = single(&parts.headers, DATE)?.as_bytes().trim_ascii();
        let canonical = hex(&hash.finalize());
        let string_to_sign = [ALGORITHM.as_bytes(), b"\n", date, b"\n", &canonical].concat();
        token.check_signature(&string_to_sign, &self.signature)
    }
}

fn malformed(what: &'static str) -> ApiError {
    ApiError::new(Code::BadCredential, what)
}

/// The value of a header that is there once. Of two, a signer and we might mean
/// different ones.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a HeaderValue, ApiError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(bad_credential()),
    }
}

fn parse_date(value: &HeaderValue) -> Option<Timestamp> {
    let text = value.to_str().ok()?.trim();
    let shape = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize, to: usize| i8::try_from(number(from, to)?).ok();
    let date = shape.then(|| {
        DateTime::new(
            number(0, 4)?,
            small(4, 6)?,
            small(6, 8)?,
            small(9, 11)?,
            small(11, 13)?,
            small(13, 15)?,
            0,
        )
        .ok()
    })??;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Every segment decoded and encoded again, so that all spellings of a path are
/// one, and a slash at the end whether or not one was sent.
fn canonical_path(path: &str) -> Vec<u8> {
    let mut out = encode(&decode(path.as_bytes()), b"/");
    if out.last() != Some(&b'/') {
        out.push(b'/');
    }
    out
}

/// Pairs sorted by name and value, decoded and encoded again.
fn canonical_query(query: &str) -> Vec<u8> {
    if query.is_empty() {
        return Vec::new();
    }
    let mut pairs: Vec<_> = query
        .split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name.as_bytes()), decode(value.as_bytes()))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| [encode(name, b""), encode(value, b"")].join(&b'='))
        .collect();
    pairs.join(&b'&')
}

/// Resolves `%XX`; a percent sign without digits stands for itself.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = (byte == b'%')
            .then(|| after.split_first_chunk::<2>())
            .flatten();
        let mut decoded = [0];
        match digits {
            Some((digits, after_digits))
                if hex_simd::decode(digits, hex_simd::Out::from_slice(&mut decoded)).is_ok() =>
            {
                out.extend(decoded);
                rest = after_digits;
            }
            _ => {
                out.push(byte);
                rest = after;
            }
        }
    }
    out
}

/// Encodes all but the unreserved characters of RFC 3986 and those in `also`.
fn encode(bytes: &[u8], also: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || also.contains(byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            hex_simd::encode_append([*byte], &mut out, AsciiCase::Upper);
        }
    }
    out
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    hex_simd::encode_type(bytes, AsciiCase::Lower)
}

#[cfg(test)]
mod tests;
