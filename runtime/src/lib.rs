//! What Sealward's servers share: shutdown, readiness, the admin server,
//! telemetry, the clock and the hardening of the process.
//!
//! Nothing here knows of keys. Each module stands alone; a server puts them
//! together in its `main.rs` in this order: [`hardening::apply`] before any
//! key material is read, [`telemetry::init`], then whatever it serves, with
//! one [`shutdown::Shutdown`] that ends all of it.

pub mod admin;
pub mod build_info;
pub mod clock;
pub mod hardening;
pub mod readiness;
pub mod shutdown;
pub mod telemetry;
