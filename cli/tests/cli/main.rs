//! The real program, against a real `sealward dev`, on real files.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on ends there; clippy knows test functions, not their helpers"
)]

mod common;
mod dev;
mod files;
mod transcripts;
