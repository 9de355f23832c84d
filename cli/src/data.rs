//! `sealward encrypt` and `sealward decrypt`: small data, in one request.

use serde::Serialize;

use crate::api::KeyReference;
use crate::args::{DecryptArgs, EncryptArgs, KeyArgs};
use crate::client::Client;
use crate::endpoint::connect_to;
use crate::error::Error;
use crate::input::{Input, InputError};
use crate::output::Output;

/// The most bytes that encrypt-data takes.
const MAX_PLAINTEXT: usize = 4096;
/// The most bytes of base64 taken: 7,200 characters is what the API takes, and line breaks come on top.
const MAX_CIPHERTEXT: usize = 16 * 1024;

/// Encrypts text and prints base64.
///
/// # Errors
/// Whatever [`Error`] says.
pub async fn encrypt(arguments: EncryptArgs, output: Output) -> Result<(), Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Json<'a> {
        key_id: &'a str,
        ciphertext: &'a str,
    }
    let context = arguments.context.parse()?;
    let (name, bytes) = Input::new(arguments.data, arguments.input)
        .read(MAX_PLAINTEXT, "encrypt it with `sealward file encrypt`")?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(InputError::NotText { name }.into());
    };
    let client = client(&arguments.connection)?;
    let key = choose_key(&client, &arguments.key).await?;
    let made = client.encrypt_data(&key, text, &context).await?;
    let json = Json {
        key_id: &made.key_id,
        ciphertext: &made.ciphertext,
    };
    output.result(&format!("{}\n", made.ciphertext), &json)?;
    Ok(())
}

/// Decrypts base64 and writes the plaintext bytes.
///
/// # Errors
/// Whatever [`Error`] says.
pub async fn decrypt(arguments: DecryptArgs, output: Output) -> Result<(), Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Json<'a> {
        key_id: &'a str,
        plaintext_base64: &'a str,
    }
    let context = arguments.context.parse()?;
    let (name, bytes) = Input::new(arguments.data, arguments.input).read(
        MAX_CIPHERTEXT,
        "decrypt an enveloped file with `sealward file decrypt`",
    )?;
    // Copied from a terminal or a YAML file, base64 comes with line breaks.
    let base64: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let base64 = match String::from_utf8(base64) {
        Ok(text) if base64_simd::STANDARD.check(text.as_bytes()).is_ok() => text,
        _ => return Err(InputError::NotBase64 { name }.into()),
    };
    let client = client(&arguments.connection)?;
    let opened = client.decrypt_data(&base64, &context).await?;
    if output.is_json() {
        let plaintext = zeroize::Zeroizing::new(
            base64_simd::STANDARD.encode_to_string(opened.plaintext.expose()),
        );
        let json = Json {
            key_id: &opened.key_id,
            plaintext_base64: &plaintext,
        };
        output.result("", &json)?;
        return Ok(());
    }
    output.bytes(opened.plaintext.expose())?;
    if output.is_terminal() && opened.plaintext.expose().last() != Some(&b'\n') {
        output.bytes(b"\n")?;
    }
    Ok(())
}

/// A client for what the flags and the environment say.
pub(crate) fn client(arguments: &crate::args::ConnectionArgs) -> Result<Client, Error> {
    let (endpoint, token) = connect_to(arguments)?;
    Ok(Client::new(endpoint, token))
}

/// The key that was named, or the only one there is.
pub(crate) async fn choose_key(
    client: &Client,
    arguments: &KeyArgs,
) -> Result<KeyReference, Error> {
    if let Some(name) = &arguments.key {
        return Ok(KeyReference::new(name));
    }
    let keys = client.list_keys().await?;
    match keys.as_slice() {
        [only] => Ok(KeyReference::new(&only.key_id)),
        [] => Err(Error::NoKeys),
        many => Err(Error::ManyKeys {
            names: many
                .iter()
                .map(|key| key.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}
