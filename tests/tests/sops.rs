//! The real sops program with `sealward dev` in place of the cloud service it was written for.

use std::fs;
use std::process::Command;

use anyhow::Result;
use sealward_tests::process::{fails, succeeds, text};
use sealward_tests::{LocalMode, workspace};

const SECRETS: &str = "database:\n    password: correct horse battery staple\n    port: 5432\n";

/// A sops that finds `local_mode` as its documentation says: as a region of that cloud.
fn sops(local_mode: &LocalMode, secret_key: &str) -> Result<Command> {
    let mut command = Command::new(workspace::tool("sops.sh", &[])?);
    command
        .current_dir(local_mode.folder())
        .env_clear()
        .env("HOME", local_mode.folder())
        .env("HUAWEICLOUD_SDK_REGION_KMS_LOCAL_1", local_mode.endpoint())
        .env("HUAWEICLOUD_SDK_AK", "any")
        .env("HUAWEICLOUD_SDK_SK", secret_key)
        .env("HUAWEICLOUD_SDK_PROJECT_ID", "any");
    Ok(command)
}

#[test]
fn sops_encrypts_and_decrypts_a_yaml_file() -> Result<()> {
    let local_mode = LocalMode::start()?;
    let token = fs::read_to_string(local_mode.token_file())?;
    let token = token.trim();
    let key = format!("local-1:{}", local_mode.key_id("web-tls")?);
    fs::write(local_mode.folder().join("secrets.yaml"), SECRETS)?;

    let mut encrypt = sops(&local_mode, token)?;
    let encrypted = succeeds(encrypt.args(["encrypt", "--hckms", &key, "secrets.yaml"]))?.stdout;
    let shown = String::from_utf8_lossy(&encrypted);
    assert!(
        shown.contains("password: ENC[AES256_GCM,") && shown.contains(&key),
        "{shown}"
    );
    assert!(!shown.contains("battery"), "{shown}");
    fs::write(local_mode.folder().join("encrypted.yaml"), &encrypted)?;

    let decrypted = succeeds(sops(&local_mode, token)?.args(["decrypt", "encrypted.yaml"]))?;
    assert_eq!(String::from_utf8(decrypted.stdout)?, SECRETS);

    let refused = text(&fails(
        sops(&local_mode, "a guess")?.args(["decrypt", "encrypted.yaml"]),
    )?);
    assert!(
        refused.contains("KMS.0302") && !refused.contains("battery"),
        "{refused}"
    );

    let leaving = format!("local-1:{}", local_mode.key_id("leaving")?);
    let mut encrypt = sops(&local_mode, token)?;
    let refused = text(&fails(encrypt.args([
        "encrypt",
        "--hckms",
        &leaving,
        "secrets.yaml",
    ]))?);
    assert!(refused.contains("KMS.0210"), "{refused}");
    Ok(())
}
