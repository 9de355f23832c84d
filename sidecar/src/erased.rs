//! Buffers that are erased when they are done with.

use std::ops::{Deref, DerefMut};

/// A growable buffer for bytes that may be secret.
///
/// It never grows on its own: growing would leave a copy in freed memory. Whoever
/// makes one says how large it gets.
///
/// Why not `Zeroizing<Vec<u8>>`: that one erases element by element, which for
/// the three buffers of a request takes as long as its cryptography.
#[derive(Default)]
pub struct Erased(Vec<u8>);

impl Erased {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Takes over the bytes of a vector.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Appends bytes. Where the room does not suffice, moves to a larger buffer
    /// and erases the old one.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Makes room for `more` bytes, erasing what is left behind.
    pub fn reserve(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.0.capacity() * 2));
            larger.extend_from_slice(&self.0);
            *self = Self(larger);
        }
    }

    /// The vector, for encoders that append. The caller has made room before.
    pub(crate) fn vec_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Deref for Erased {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Erased {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Erased {
    fn drop(&mut self) {
        zeroize::zeroize_bytes(&mut self.0);
    }
}

impl std::fmt::Debug for Erased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Erased({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_only_by_moving_and_shows_nothing() {
        let mut buffer = Erased::with_capacity(4);
        buffer.extend(b"abcd");
        buffer.extend(b"efghij");
        assert_eq!(&*buffer, b"abcdefghij");
        assert_eq!(format!("{buffer:?}"), "Erased(10 bytes)");
    }
}
