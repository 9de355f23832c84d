//! The official SDK packages, unchanged, against a real `sealward dev`.

use anyhow::Result;
use sealward_tests::{LocalMode, python};

#[test]
fn newest_sdk_does_all_operations() -> Result<()> {
    println!(
        "{}",
        python::checks("latest", "sdk_v2.py", &LocalMode::start()?)?
    );
    Ok(())
}

#[test]
fn old_sdk_does_encryption_contexts() -> Result<()> {
    println!(
        "{}",
        python::checks("v1", "sdk_v1.py", &LocalMode::start()?)?
    );
    Ok(())
}
