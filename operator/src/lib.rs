//! Reconciles customer master keys into sealed key material.
//!
//! A CMK is reconciled in steps: observe what is stored, [`customer_master_key::plan`] one
//! step (pure: no I/O, no clock, no randomness), apply it, and begin again, until there is
//! nothing left to do. So a step is never planned on what should be there, only on what was read back: being killed
//! between two writes and being called again are one and the same.
//!
//! All writes go through [`store::Store`]. [`local::LocalMode`] runs it on a folder.

pub mod customer_master_key;
pub mod local;
mod root_key;
pub mod store;

mod wait;
