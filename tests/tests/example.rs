//! The HTTPS server of the demo, `examples/https-certificate`: what it serves, and when it must not.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use sealward_tests::process::{Process, fails, succeeds};
use sealward_tests::{LocalMode, workspace};

/// Local mode, with a certificate for `localhost` (`tls.pem`, by the CA in `ca.pem`) in its folder and
/// the private key as ciphertext only (`tls.key.sealed`, under `orders`).
fn deployment() -> Result<LocalMode> {
    let local_mode = LocalMode::start()?;
    let folder = local_mode.folder();
    openssl(folder, "-subj /CN=Test-CA -keyout ca.key -out ca.pem")?;
    let leaf = "-subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -addext basicConstraints=critical,CA:FALSE -CA ca.pem -CAkey ca.key \
        -keyout tls.key -out tls.pem";
    openssl(folder, leaf)?;
    let mut encrypt = local_mode.sealward();
    encrypt
        .args(["encrypt", "--key", "orders", "--in"])
        .arg(folder.join("tls.key"));
    fs::write(
        folder.join("tls.key.sealed"),
        succeeds(&mut encrypt)?.stdout,
    )?;
    fs::remove_file(folder.join("tls.key"))?;
    fs::remove_file(folder.join("ca.key"))?;
    Ok(local_mode)
}

/// Makes a new EC key and a certificate for it.
fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ]);
    command
        .args(["-noenc", "-days", "1"])
        .args(arguments.split_whitespace());
    succeeds(command.current_dir(folder)).map(drop)
}

/// The server, on any free port, in the folder and with the environment of `local_mode`.
fn server(local_mode: &LocalMode) -> Result<Command> {
    let package = "example-https-certificate";
    let mut command = Command::new(workspace::program(package, package)?);
    command
        .current_dir(local_mode.folder())
        .envs(local_mode.environment())
        .env("RUST_BACKTRACE", "0")
        .args(["tls.pem", "tls.key.sealed", "0"]);
    Ok(command)
}

/// What the server says when it must not start.
fn refusal(command: &mut Command) -> Result<String> {
    let output = fails(command)?;
    assert!(output.stdout.is_empty(), "it must not say that it listens");
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn serves_verified_tls_with_a_key_that_is_nowhere_on_the_disk() -> Result<()> {
    let local_mode = deployment()?;
    let mut server = Process::start(&mut server(&local_mode)?)?;
    let url = server.line()?;

    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--fail",
        "--noproxy",
        "*",
        "--cacert",
        "ca.pem",
        &url,
    ]);
    let page = succeeds(curl.current_dir(local_mode.folder()))?;
    assert!(String::from_utf8_lossy(&page.stdout).contains("Hello over HTTPS"));

    // Without our CA it does not verify: the page above came over TLS that somebody checked.
    fails(Command::new("curl").args(["--silent", "--noproxy", "*", &url]))?;

    let mut grep = Command::new("grep");
    let found = fails(
        grep.args(["-r", "-l", "PRIVATE KEY"])
            .arg(local_mode.folder()),
    )?;
    assert_eq!(found.status.code(), Some(1), "grep itself failed");
    assert!(server.stop()?.success(), "SIGTERM is a normal end");
    Ok(())
}

#[test]
fn refuses_to_start_without_the_right_token() -> Result<()> {
    let local_mode = deployment()?;
    let wrong = local_mode.folder().join("wrong");
    fs::write(&wrong, "a guess")?;
    let said = refusal(server(&local_mode)?.env("SEALWARD_TOKEN_FILE", &wrong))?;
    assert!(
        said.contains("tls.key.sealed") && said.contains("KMS.0302"),
        "{said}"
    );

    let said = refusal(server(&local_mode)?.env_remove("SEALWARD_TOKEN_FILE"))?;
    assert!(said.contains("SEALWARD_TOKEN_FILE is not set"), "{said}");
    Ok(())
}

#[test]
fn refuses_to_start_where_sealward_does_not_listen() -> Result<()> {
    let local_mode = deployment()?;
    // A port that nobody has: bound once, and given back.
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let endpoint = format!("http://{address}");
    let said = refusal(server(&local_mode)?.env("SEALWARD_ENDPOINT", endpoint))?;
    assert!(
        said.contains(&format!("does not listen on {address}")),
        "{said}"
    );

    let said = refusal(server(&local_mode)?.env("SEALWARD_ENDPOINT", "127.0.0.1:7325"))?;
    assert!(said.contains("must begin with http://"), "{said}");
    Ok(())
}

#[test]
fn refuses_to_start_with_a_damaged_ciphertext() -> Result<()> {
    let local_mode = deployment()?;
    let path = local_mode.folder().join("tls.key.sealed");
    let mut ciphertext = fs::read(&path)?;
    let character = ciphertext.get_mut(150).context("too short")?;
    *character = if *character == b'A' { b'B' } else { b'A' };
    fs::write(&path, ciphertext)?;
    let said = refusal(&mut server(&local_mode)?)?;
    assert!(said.contains("KMS.2201"), "{said}");
    Ok(())
}

#[test]
fn refuses_to_start_once_the_cmk_is_deleted_and_starts_when_it_is_restored() -> Result<()> {
    let mut local_mode = deployment()?;
    local_mode.delete("orders")?;
    let said = refusal(&mut server(&local_mode)?)?;
    assert!(said.contains("KMS.0210"), "{said}");

    local_mode.restore("orders")?;
    let mut server = Process::start(&mut server(&local_mode)?)?;
    assert!(server.line()?.starts_with("https://localhost:"));
    Ok(())
}

#[test]
fn refuses_a_key_that_does_not_belong_to_the_certificate() -> Result<()> {
    let local_mode = deployment()?;
    openssl(
        local_mode.folder(),
        "-subj /CN=localhost -keyout other.key -out tls.pem",
    )?;
    let said = refusal(&mut server(&local_mode)?)?;
    assert!(said.contains("does not belong to tls.pem"), "{said}");
    Ok(())
}
