//! Cryptography and formats of Sealward.
//!
//! What this crate promises, and its tests hold it to:
//!
//! - Whatever was sealed opens with the same key and the same encryption context, and with nothing else. A flipped
//!   bit, a missing or an additional byte, another purpose, key, version or context: refused.
//! - No plaintext leaves before it is authenticated; a stream ends without an error only if the message is whole.
//! - Wrong key, wrong context and damage are one error, [`OpenError::Authentication`].
//! - No input makes it panic, and none makes it hold more than the input and one copy, or one chunk of a stream.
//! - Keys and plaintext are erased when dropped; they have no `Clone`, no `Serialize` and no telling `Debug`.
//! - It is pure: no I/O but through `Read` and `Write` handed in, no clock, no randomness but the generator handed in,
//!   no globals, no unsafe code.
//!
//! The formats are described, enough to write a decryptor from, in `docs/formats.md`.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod aead;
mod ciphertext;
pub mod context;
pub mod envelope;
mod error;
mod header;
mod id;
mod kdf;
mod key;
pub mod message;
mod secret;
mod stream;

pub use ciphertext::{CIPHERTEXT_OVERHEAD, MAX_PLAINTEXT, open, open_version, seal, seal_version};
pub use context::EncryptionContext;
pub use error::{ContextError, IdError, Malformed, OpenError, RandomError, SealError};
pub use header::{Header, Purpose, Suite};
pub use id::{KeyId, KeyVersion};
pub use key::{Dek, RootKey, VersionKey};
pub use secret::SecretBytes;
pub use stream::{OpenReader, SealWriter};
