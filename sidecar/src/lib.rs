//! The localhost endpoint with which an application encrypts and decrypts.
//!
//! It speaks the HTTP API of Huawei KMS v1.0 on loopback addresses, holds the keys
//! that a [source](source::KeySource) releases to it, and never lets a key or a
//! plaintext out of the pod. A caller shows that it can read the
//! [token](auth::CallerToken)'s file; a process that was only talked into sending
//! a request, such as a server with an SSRF hole, cannot.
//!
//! [`app::build`] puts an endpoint together, [`app::App::run`] serves it.

pub mod app;
pub mod audit;
pub mod auth;
mod body;
pub mod config;
pub mod connection;
mod endpoint;
pub mod erased;
pub mod error;
mod guard;
pub mod keyring;
pub mod metrics;
mod operations;
mod request_id;
pub mod routes;
pub mod server;
pub mod source;
pub mod wire;
