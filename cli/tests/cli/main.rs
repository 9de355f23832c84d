//! The real program, against a real `sealward dev`, on real files.

mod common;
mod dev;
mod files;
mod transcripts;
