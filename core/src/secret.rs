//! Bytes that are erased when they are dropped.
//!
//! No `Clone`, no `Serialize`, and a `Debug` that shows nothing but the length: whoever wants the bytes says
//! `expose`, which is easy to find in a review.

use std::fmt;

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::RandomError;

/// 32 secret bytes, on the heap so that moving the owner leaves no copy behind.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Secret32(Box<[u8; 32]>);

impl Secret32 {
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        let mut secret = Self::zeroed();
        secret.0.copy_from_slice(bytes);
        secret
    }

    pub(crate) fn generate(rng: &mut impl TryCryptoRng) -> Result<Self, RandomError> {
        let mut secret = Self::zeroed();
        rng.try_fill_bytes(&mut secret.0[..])
            .map_err(|_| RandomError)?;
        Ok(secret)
    }

    pub(crate) fn zeroed() -> Self {
        Self(Box::new([0; 32]))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn expose_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

/// Secret bytes of any length: a plaintext, a token, a DEK as it came over the API.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over; they are erased with this value. Copies made before are the caller's to erase.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// A copy of `bytes`.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// `len` zero bytes, to be filled in place.
    pub fn zeroed(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// The bytes in the clear.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes in the clear, to be changed in place. Their number is fixed, so no copy is ever left behind.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these bytes are those of `other`, in a time that depends on the lengths alone.
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }

    /// Shortens the bytes to the first `len`; the rest is erased.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            rest.zeroize();
            self.0.truncate(len);
        }
    }
}

impl SecretBytes {
    /// Erases all that was allocated. Not by `Vec`'s own `zeroize`, which goes byte by byte: for 4 KB, longer than
    /// decrypting them takes.
    fn erase(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.spare_capacity_mut().zeroize();
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.erase();
    }
}

impl ZeroizeOnDrop for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte() {
        let secret = SecretBytes::from_slice(b"hunter2");
        assert_eq!(format!("{secret:?}"), "SecretBytes(7 bytes)");
    }

    #[test]
    fn compares_whole() {
        let secret = SecretBytes::from_slice(b"abc");
        assert!(secret.ct_eq(b"abc"));
        for other in [&b""[..], b"ab", b"abcd", b"abd"] {
            assert!(!secret.ct_eq(other));
        }
    }

    #[test]
    fn erases_every_byte() {
        let mut secret = SecretBytes::from_slice(&[b'x'; 100]);
        secret.erase();
        assert_eq!(secret.expose(), [0; 100]);
    }

    #[test]
    fn truncate_keeps_the_front() {
        let mut secret = SecretBytes::from_slice(b"abcdef");
        secret.truncate(9);
        assert_eq!(secret.expose(), b"abcdef");
        secret.truncate(2);
        assert_eq!(secret.expose(), b"ab");
    }
}
