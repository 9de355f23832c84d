//! All that an application needs in order to use Sealward: one HTTP request to localhost.

use std::{env, fs};

use anyhow::{Context as _, Error, Result, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Has `ciphertext` (the base64 text that `sealward encrypt` prints) decrypted: text of at most
/// 4096 bytes.
///
/// `SEALWARD_ENDPOINT` and `SEALWARD_TOKEN_FILE` say where Sealward listens, and which token shows
/// that we may use it. In a pod both are there by themselves; `sealward dev` prints them.
pub(crate) async fn decrypt(ciphertext: &str) -> Result<String> {
    let endpoint = env::var("SEALWARD_ENDPOINT").context("SEALWARD_ENDPOINT is not set")?;
    let address = endpoint
        .strip_prefix("http://")
        .with_context(|| format!("SEALWARD_ENDPOINT must begin with http://, not {endpoint}"))?
        .trim_end_matches('/');
    let token_file = env::var("SEALWARD_TOKEN_FILE").context("SEALWARD_TOKEN_FILE is not set")?;
    let token = fs::read_to_string(&token_file)
        .with_context(|| format!("cannot read the token in {token_file}"))?;

    // Plain HTTP is enough: the endpoint is in the same pod, or on the same machine, and never
    // listens on any other address than loopback. The ciphertext itself names the key to use.
    let request = Request::post("/v1.0/default/kms/decrypt-data")
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .header("X-Auth-Token", token.trim())
        .body(Full::<Bytes>::from(
            json!({ "cipher_text": ciphertext }).to_string(),
        ))?;
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("Sealward does not listen on {address}"))?;
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = client.send_request(request).await?;

    let status = response.status();
    let body = Limited::new(response.into_body(), 64 * 1024);
    let body = body.collect().await.map_err(Error::from_boxed)?.to_bytes();
    let answer: Value = serde_json::from_slice(&body)
        .with_context(|| format!("what listens on {address} does not answer with JSON"))?;
    let refusal = &answer["error"];
    ensure!(
        status == StatusCode::OK,
        "Sealward refused: {} ({} {})",
        refusal["error_msg"].as_str().unwrap_or("no reason given"),
        status.as_u16(),
        refusal["error_code"].as_str().unwrap_or("without a code"),
    );
    let plaintext = answer["plain_text"]
        .as_str()
        .context("the answer has no plain_text")?;
    Ok(plaintext.to_owned())
}
