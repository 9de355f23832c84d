//! A message: C2SP chunked-encryption, instance Cobblestone-256 (<https://c2sp.org/chunked-encryption>).
//!
//! `salt(24) ‖ commitment(32) ‖ chunks`. Each chunk is [`CHUNK`] bytes and a tag, but for the last one, which is
//! always shorter and may be empty: that is how the end is known. The commitment is compared before anything is
//! decrypted, and makes the message belong to one key and one context only.

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub use crate::aead::Backend;
use crate::aead::ChunkCipher;
use crate::error::{Malformed, OpenError, RandomError, SealError};
use crate::kdf::InputKey;

/// Bytes of plaintext in every chunk but the last.
pub const CHUNK: usize = 16 * 1024;
/// Bytes of tag after each chunk (SP 800-38D, full length).
pub const TAG: usize = 16;
/// A full chunk and its tag: what the streaming calls work on in place.
pub const SLOT: usize = CHUNK + TAG;
/// Bytes of salt: drawn at random for each message, 2^80 messages a key (specification, security analysis).
pub const SALT: usize = 24;
/// Bytes of salt and commitment, before the chunks.
pub const PREFIX: usize = SALT + COMMITMENT;

/// The context of a message, as the parts whose concatenation it is: label, what stands before, encoded encryption context.
pub(crate) type Context<'a> = [&'a [u8]; 3];

const COMMITMENT: usize = 32;
/// The specification's limit on chunks, 4 PiB of message.
const MAX_CHUNKS: u64 = 1 << 38;
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// The salt of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; SALT]);

impl Salt {
    /// Draws a salt. It must be drawn anew for each message.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self, RandomError> {
        let mut bytes = [0; SALT];
        rng.try_fill_bytes(&mut bytes).map_err(|_| RandomError)?;
        Ok(Self(bytes))
    }

    /// The salt with these bytes: for known-answer tests, and for messages that somebody else sealed.
    pub const fn from_bytes(bytes: [u8; SALT]) -> Self {
        Self(bytes)
    }
}

/// Everything that one message needs: derived from an input key, a salt and a context, used for that message alone.
#[derive(Zeroize, ZeroizeOnDrop)]
struct MessageKey {
    key: [u8; 32],
    base_nonce: [u8; 12],
    commitment: [u8; COMMITMENT],
}

impl MessageKey {
    fn derive(input: &InputKey, salt: &Salt, context: Context<'_>) -> Self {
        let [first, second, third] = context;
        let mut okm = zeroize::Zeroizing::new([0; 32 + 12 + COMMITMENT]);
        input.expand(&[LABEL, &salt.0, first, second, third], &mut okm[..]);
        let mut derived = Self {
            key: [0; 32],
            base_nonce: [0; 12],
            commitment: [0; COMMITMENT],
        };
        let (key, rest) = okm.split_at(32);
        let (base_nonce, commitment) = rest.split_at(12);
        derived.key.copy_from_slice(key);
        derived.base_nonce.copy_from_slice(base_nonce);
        derived.commitment.copy_from_slice(commitment);
        derived
    }

    /// Derives the key of the message that begins with `prefix`, if the commitment says that it is the right one.
    fn derive_checked(
        input: &InputKey,
        prefix: &[u8; PREFIX],
        context: Context<'_>,
    ) -> Result<Self, OpenError> {
        let (salt, commitment) = prefix
            .split_first_chunk::<SALT>()
            .ok_or(Malformed::Length)?;
        let derived = Self::derive(input, &Salt(*salt), context);
        if bool::from(derived.commitment.ct_eq(commitment)) {
            Ok(derived)
        } else {
            Err(OpenError::Authentication)
        }
    }

    fn prefix(&self, salt: &Salt) -> [u8; PREFIX] {
        let mut prefix = [0; PREFIX];
        let (front, back) = prefix.split_at_mut(SALT);
        front.copy_from_slice(&salt.0);
        back.copy_from_slice(&self.commitment);
        prefix
    }

    fn chunks(&self, backend: Backend) -> Chunks {
        Chunks {
            cipher: ChunkCipher::new(&self.key, backend),
            base_nonce: self.base_nonce,
        }
    }
}

/// The chunks of one message, sealed or opened in any order.
pub(crate) struct Chunks {
    cipher: ChunkCipher,
    base_nonce: [u8; 12],
}

impl Chunks {
    /// Base nonce XOR chunk number, both as big-endian integers.
    fn nonce(&self, chunk: u64) -> [u8; 12] {
        let mut nonce = self.base_nonce;
        let number = chunk.to_be_bytes();
        for (byte, number) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *byte ^= number;
        }
        nonce
    }

    fn seal(&self, chunk: u64, plaintext: &mut [u8]) -> Result<[u8; TAG], SealError> {
        if chunk >= MAX_CHUNKS {
            return Err(SealError::TooLong);
        }
        Ok(self.cipher.seal(self.nonce(chunk), plaintext))
    }

    pub(crate) fn open(&self, chunk: u64, slot: &mut [u8]) -> Result<(), OpenError> {
        if chunk >= MAX_CHUNKS {
            return Err(Malformed::Length.into());
        }
        self.cipher.open(self.nonce(chunk), slot)
    }
}

/// Seals a short message, one chunk: `front ‖ salt ‖ commitment ‖ chunk`.
pub(crate) fn seal_short(
    input: &InputKey,
    salt: &Salt,
    context: Context<'_>,
    front: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() >= CHUNK {
        return Err(SealError::TooLong);
    }
    let derived = MessageKey::derive(input, salt, context);
    let prefix = derived.prefix(salt);
    let before = front.len().saturating_add(PREFIX);
    let mut out = Vec::with_capacity(before.saturating_add(plaintext.len()).saturating_add(TAG));
    out.extend_from_slice(front);
    out.extend_from_slice(&prefix);
    out.extend_from_slice(plaintext);
    let chunk = out
        .get_mut(before..)
        .expect("the vector was just made longer than this");
    let tag = derived.chunks(Backend::default()).seal(0, chunk)?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Opens a short message, one chunk; anything longer is refused.
pub(crate) fn open_short(
    input: &InputKey,
    context: Context<'_>,
    message: &[u8],
) -> Result<crate::SecretBytes, OpenError> {
    let (prefix, slot) = message
        .split_first_chunk::<PREFIX>()
        .ok_or(Malformed::Length)?;
    if slot.len() < TAG || slot.len() >= SLOT {
        return Err(Malformed::Length.into());
    }
    let derived = MessageKey::derive_checked(input, prefix, context)?;
    let mut bytes = crate::SecretBytes::from_slice(slot);
    derived
        .chunks(Backend::default())
        .open(0, bytes.expose_mut())?;
    bytes.truncate(slot.len().saturating_sub(TAG));
    Ok(bytes)
}

/// Seals a message of any length, chunk by chunk, in place.
pub struct Sealer {
    chunks: Chunks,
    next: u64,
}

impl Sealer {
    /// Begins a message; the prefix given beside it goes before the chunks.
    pub(crate) fn new(
        input: &InputKey,
        salt: &Salt,
        context: Context<'_>,
        backend: Backend,
    ) -> (Self, [u8; PREFIX]) {
        let derived = MessageKey::derive(input, salt, context);
        (
            Self {
                chunks: derived.chunks(backend),
                next: 0,
            },
            derived.prefix(salt),
        )
    }

    /// Seals a full chunk in place: `slot` is [`CHUNK`] bytes of plaintext, then [`TAG`] bytes that receive the tag.
    ///
    /// # Errors
    /// [`SealError::BufferLength`] unless `slot` has [`SLOT`] bytes; [`SealError::TooLong`] after 2^38 chunks.
    pub fn seal_slot(&mut self, slot: &mut [u8]) -> Result<(), SealError> {
        if slot.len() != SLOT {
            return Err(SealError::BufferLength);
        }
        let (chunk, tag) = slot
            .split_last_chunk_mut::<TAG>()
            .ok_or(SealError::BufferLength)?;
        *tag = self.chunks.seal(self.next, chunk)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// Seals the last chunk, shorter than [`CHUNK`] and possibly empty, in place; its tag is appended.
    ///
    /// # Errors
    /// [`SealError::BufferLength`] if `last` is a full chunk; [`SealError::TooLong`] after 2^38 chunks.
    pub fn finish(self, last: &mut Vec<u8>) -> Result<(), SealError> {
        if last.len() >= CHUNK {
            return Err(SealError::BufferLength);
        }
        let tag = self.chunks.seal(self.next, last)?;
        last.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens a message of any length, chunk by chunk, in place.
pub struct Opener {
    chunks: Chunks,
    next: u64,
}

impl Opener {
    /// Begins with the prefix of a message, whose commitment is compared before anything else.
    pub(crate) fn new(
        input: &InputKey,
        prefix: &[u8; PREFIX],
        context: Context<'_>,
        backend: Backend,
    ) -> Result<Self, OpenError> {
        let derived = MessageKey::derive_checked(input, prefix, context)?;
        Ok(Self {
            chunks: derived.chunks(backend),
            next: 0,
        })
    }

    /// Opens a full chunk in place: of the [`SLOT`] bytes the first [`CHUNK`] become plaintext.
    ///
    /// # Errors
    /// [`Malformed::Length`] unless `slot` has [`SLOT`] bytes; [`OpenError::Authentication`].
    pub fn open_slot(&mut self, slot: &mut [u8]) -> Result<(), OpenError> {
        if slot.len() != SLOT {
            return Err(Malformed::Length.into());
        }
        self.chunks.open(self.next, slot)?;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// Opens the last chunk in place and drops its tag. Only after this is the message known to be whole.
    ///
    /// # Errors
    /// [`Malformed::Length`] if `last` cannot be a last chunk, as in a message cut at a chunk's end;
    /// [`OpenError::Authentication`].
    pub fn finish(self, last: &mut Vec<u8>) -> Result<(), OpenError> {
        if last.len() < TAG || last.len() >= SLOT {
            return Err(Malformed::Length.into());
        }
        self.chunks.open(self.next, last)?;
        last.truncate(last.len().saturating_sub(TAG));
        Ok(())
    }

    pub(crate) fn into_chunks(self) -> Chunks {
        self.chunks
    }
}

#[cfg(test)]
mod tests;
