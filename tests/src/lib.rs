//! Tests and benchmarks of the whole of Sealward: real programs, real clients, real files.
//!
//! Here is what the tests in `tests/` share. Every process that is started belongs to a guard that
//! stops it, also when a test panics; every file is in a temporary folder of the test's own; ports
//! are chosen by the system.

pub mod local_mode;
pub mod process;
pub mod python;
pub mod workspace;

pub use local_mode::LocalMode;
pub use process::Process;
