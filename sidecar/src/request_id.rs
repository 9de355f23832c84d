//! Request ids: 16 random bytes, in hexadecimal.

use std::sync::{Mutex, PoisonError};

use hex_simd::{AsciiCase, Out};

/// Bytes drawn at a time, for 256 ids. An id is no secret and needs only be
/// unlike all others, so it may lie around in here.
const BLOCK: usize = 4096;

/// Makes ids with one system call for many of them.
pub(crate) struct RequestIds(Mutex<(Box<[u8; BLOCK]>, usize)>);

/// One id, as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RequestId([u8; 32]);

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((Box::new([0; BLOCK]), BLOCK)))
    }

    /// The next id. Where the system has no random bytes, the ids of the last block
    /// come again: a repeated id is better than no answer.
    pub(crate) fn next(&self) -> RequestId {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (block, used) = &mut *guard;
        if *used == BLOCK {
            if let Err(error) = getrandom::fill(&mut block[..]) {
                tracing::error!(%error, "no random bytes for request ids");
            }
            *used = 0;
        }
        let mut text = [0; 32];
        let bytes = &block[*used..*used + 16];
        let _ = hex_simd::encode(bytes, Out::from_slice(&mut text), AsciiCase::Lower);
        *used += 16;
        RequestId(text)
    }
}

impl RequestId {
    /// 32 hexadecimal digits.
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_within_and_across_blocks() {
        let ids = RequestIds::new();
        let seen: HashSet<_> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 1000);
        assert!(seen.iter().all(|id| id.0.iter().all(u8::is_ascii_hexdigit)));
    }
}
