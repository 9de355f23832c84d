//! All errors that leave this crate.
//!
//! They are built so that nothing secret can be in them, and so that an attacker who sees them learns
//! nothing: whatever fails under a key fails as [`OpenError::Authentication`].

use crate::message::{CHUNK, TAG};

/// The random number generator gave no bytes; nothing was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError;

/// Why something could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// No salt could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The plaintext is longer than the format carries.
    #[error("the plaintext is longer than this format carries")]
    TooLong,
    /// A buffer handed to a streaming call does not have the length that the call asks for.
    #[error(
        "a full chunk is {CHUNK} bytes of plaintext followed by {TAG} bytes, the last one is shorter"
    )]
    BufferLength,
}

/// Why something could not be opened.
///
/// Wrong key, wrong context and damage are one and the same, [`Authentication`](Self::Authentication).
/// [`Malformed`](Self::Malformed) says only what anybody can see without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bytes are not what the format allows, whatever the key.
    #[error("malformed: {0}")]
    Malformed(#[from] Malformed),
    /// Wrong key, wrong context, or damaged: which one is not said.
    #[error("authentication failed")]
    Authentication,
}

/// What is wrong with bytes that no key could open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The first four bytes are not those of the format.
    #[error("the first four bytes are not those of the format")]
    Magic,
    /// The suite byte names no suite that this version knows.
    #[error("unknown suite {0}")]
    Suite(u8),
    /// The purpose byte names no purpose that this version knows.
    #[error("unknown purpose {0}")]
    Purpose(u8),
    /// Key versions count from 1.
    #[error("key version 0")]
    KeyVersion,
    /// Too short, too long, or cut at a place where the format has no end.
    #[error("a length that the format does not allow")]
    Length,
}

/// Why bytes or strings are not an encryption context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// Two entries have the same name.
    #[error("the encryption context names one key twice")]
    DuplicateName,
    /// The parts together are longer than [`MAX_ENCODED`](crate::context::MAX_ENCODED).
    #[error(
        "the encryption context is longer than {} bytes",
        crate::context::MAX_ENCODED
    )]
    TooLong,
    /// Not the one encoding that the value has.
    #[error("not a canonical encoding of an encryption context")]
    Encoding,
}

/// A string or number that is no identifier of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// Not a UUID of 36 characters, lower case, with hyphens.
    #[error("a key id is a UUID of 36 characters in lower case")]
    KeyId,
    /// Key versions count from 1.
    #[error("a key version is a number from 1")]
    KeyVersion,
}
