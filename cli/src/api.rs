//! The operations of the endpoint that the commands use, typed.
//!
//! Answers that hold a secret are not copied into a `String`: they are read in place from a buffer that is erased.

use jiff::Timestamp;
use sealward_core::{Dek, KeyId, SecretBytes};
use sealward_sidecar::wire::request::Pairs;
use sealward_sidecar::wire::{answer, request};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::{CallError, Client};
use crate::context::Context;

/// Keys asked for in one page of list-keys.
const PAGE: &str = "100";
/// The most pages read: an endpoint that never says "last" must not keep us forever.
const MAX_PAGES: usize = 100;

/// What identifies a CMK in a request: a key id or an alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReference(String);

impl KeyReference {
    /// A key id and anything that says `alias/` are taken as they are; a name is an alias.
    pub fn new(text: &str) -> Self {
        if text.starts_with("alias/") || text.parse::<KeyId>().is_ok() {
            Self(text.to_owned())
        } else {
            Self(format!("alias/{text}"))
        }
    }
}

/// A ciphertext, and the key that made it.
#[derive(Debug)]
pub struct Encrypted {
    /// The CMK's key id.
    pub key_id: String,
    /// The ciphertext in base64.
    pub ciphertext: String,
}

/// A plaintext, and the key that opened it.
#[derive(Debug)]
pub struct Decrypted {
    /// The CMK's key id.
    pub key_id: String,
    /// The plaintext.
    pub plaintext: SecretBytes,
}

/// A fresh DEK.
#[derive(Debug)]
pub struct DataKey {
    /// The CMK's key id.
    pub key_id: String,
    /// The ciphertext DEK, its bytes.
    pub ciphertext: Vec<u8>,
    /// The DEK.
    pub dek: Dek,
}

/// A CMK as list-keys tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its name, or NAMESPACE/NAME.
    pub name: String,
    /// Its key id.
    pub key_id: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, or what else the endpoint says.
    pub state: String,
    /// The version that seals; none before there is one.
    pub primary_version: Option<u32>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it will be destroyed.
    pub destroy_at: Option<Timestamp>,
}

/// An answer that holds a secret, read in place from the buffer that it came in: `wire::answer` would copy it.
#[derive(Deserialize)]
struct DecryptDataAnswer<'a> {
    key_id: &'a str,
    plain_text_base64: &'a str,
}

/// As [`DecryptDataAnswer`].
#[derive(Deserialize)]
struct CreateDatakeyAnswer<'a> {
    key_id: &'a str,
    cipher_text: &'a str,
    plain_text: &'a str,
}

/// As [`DecryptDataAnswer`].
#[derive(Deserialize)]
struct DecryptDatakeyAnswer<'a> {
    data_key: &'a str,
}

impl Client {
    /// encrypt-data.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn encrypt_data(
        &self,
        key: &KeyReference,
        plaintext: &str,
        context: &Context,
    ) -> Result<Encrypted, CallError> {
        let body = request::EncryptData {
            key_id: &key.0,
            plain_text: plaintext,
            additional_authenticated_data: context.as_text(),
            encryption_context: pairs(context),
            ..Default::default()
        };
        let raw = self.post("encrypt-data", &body).await?;
        let answer: answer::EncryptData = self.parse("encrypt-data", &raw)?;
        Ok(Encrypted {
            key_id: answer.key_id,
            ciphertext: answer.cipher_text,
        })
    }

    /// decrypt-data.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn decrypt_data(
        &self,
        ciphertext: &str,
        context: &Context,
    ) -> Result<Decrypted, CallError> {
        let body = request::DecryptData {
            cipher_text: ciphertext,
            additional_authenticated_data: context.as_text(),
            encryption_context: pairs(context),
            ..Default::default()
        };
        let raw = self.post("decrypt-data", &body).await?;
        let answer: DecryptDataAnswer<'_> = self.parse("decrypt-data", &raw)?;
        let plaintext = base64_simd::STANDARD
            .decode_to_vec(answer.plain_text_base64)
            .map_err(|_| self.unreadable("decrypt-data", "plain_text_base64 is not base64"))?;
        Ok(Decrypted {
            key_id: answer.key_id.to_owned(),
            plaintext: SecretBytes::new(plaintext),
        })
    }

    /// create-datakey, for a DEK of 32 bytes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn create_datakey(
        &self,
        key: &KeyReference,
        context: &Context,
    ) -> Result<DataKey, CallError> {
        let body = request::CreateDatakey {
            key_id: &key.0,
            datakey_length: Some("256"),
            additional_authenticated_data: context.as_text(),
            encryption_context: pairs(context),
            ..Default::default()
        };
        let raw = self.post("create-datakey", &body).await?;
        let answer: CreateDatakeyAnswer<'_> = self.parse("create-datakey", &raw)?;
        let ciphertext = hex_simd::decode_to_vec(answer.cipher_text)
            .map_err(|_| self.unreadable("create-datakey", "cipher_text is not hex"))?;
        Ok(DataKey {
            key_id: answer.key_id.to_owned(),
            ciphertext,
            dek: self.dek("create-datakey", answer.plain_text)?,
        })
    }

    /// decrypt-datakey, for a DEK of 32 bytes, under the CMK that its ciphertext names.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn decrypt_datakey(
        &self,
        key: KeyId,
        ciphertext: &[u8],
        context: &Context,
    ) -> Result<Dek, CallError> {
        let hex = hex_simd::encode_to_string(ciphertext, hex_simd::AsciiCase::Upper);
        let body = request::DecryptDatakey {
            key_id: &key.to_string(),
            cipher_text: &hex,
            datakey_cipher_length: "32",
            additional_authenticated_data: context.as_text(),
            encryption_context: pairs(context),
            sequence: None,
        };
        let raw = self.post("decrypt-datakey", &body).await?;
        let answer: DecryptDatakeyAnswer<'_> = self.parse("decrypt-datakey", &raw)?;
        self.dek("decrypt-datakey", answer.data_key)
    }

    /// list-keys, all pages, in the endpoint's order.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list_keys(&self) -> Result<Vec<Key>, CallError> {
        let mut keys = Vec::new();
        let mut marker = String::new();
        for _ in 0..MAX_PAGES {
            let body = request::ListKeys {
                limit: Some(PAGE),
                marker: Some(&marker),
                ..Default::default()
            };
            let raw = self.post("list-keys", &body).await?;
            let page: answer::ListKeys = self.parse("list-keys", &raw)?;
            keys.extend(page.key_details.into_iter().map(Key::from));
            if page.truncated != "true" || page.next_marker == marker {
                break;
            }
            marker = page.next_marker;
        }
        Ok(keys)
    }

    async fn post(
        &self,
        operation: &'static str,
        body: &impl Serialize,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        // The largest body is 4096 control characters, six bytes each in JSON; growing would leave copies.
        let mut json = Zeroizing::new(Vec::with_capacity(64 * 1024));
        serde_json::to_writer(&mut *json, body)
            .map_err(|_| self.unreadable(operation, "no request can be written for it"))?;
        self.call(operation, json).await
    }

    fn parse<'a, T: Deserialize<'a>>(
        &self,
        operation: &'static str,
        raw: &'a [u8],
    ) -> Result<T, CallError> {
        // serde_json's own message may quote the answer, and the answer may be secret.
        serde_json::from_slice(raw)
            .map_err(|_| self.unreadable(operation, "a field is missing or of another type"))
    }

    fn dek(&self, operation: &'static str, hex: &str) -> Result<Dek, CallError> {
        let mut bytes = Zeroizing::new([0; Dek::LEN]);
        let decoded = hex.len() == 2 * Dek::LEN
            && hex_simd::decode(hex.as_bytes(), hex_simd::Out::from_slice(&mut bytes[..])).is_ok();
        let dek = decoded.then(|| Dek::from_slice(&bytes[..])).flatten();
        dek.ok_or_else(|| self.unreadable(operation, "the data key is not 32 bytes in hex"))
    }
}

/// The context as the API takes it, where it is a map.
fn pairs(context: &Context) -> Option<Pairs<'_>> {
    let pairs = context.as_map()?.iter();
    Some(Pairs(
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    ))
}

impl From<answer::KeyDetails> for Key {
    fn from(details: answer::KeyDetails) -> Self {
        let state = match details.key_state.as_str() {
            "1" => "WaitingForActivation",
            "2" => "Enabled",
            "3" => "Disabled",
            "4" => "PendingDeletion",
            "5" => "PendingImport",
            other => other,
        };
        Self {
            state: state.to_owned(),
            name: details.key_alias,
            key_id: details.key_id,
            primary_version: details.primary_version.parse().ok(),
            created_at: time(&details.creation_date),
            destroy_at: time(&details.scheduled_deletion_date),
        }
    }
}

/// The API's times are milliseconds since 1970, as text; empty where there is none.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_aliases_and_ids_stay() {
        let id = "6fb156d6-d350-4c92-96f1-337bceea4310";
        for (text, sent) in [
            (id, id),
            ("web-tls", "alias/web-tls"),
            ("shop/web-tls", "alias/shop/web-tls"),
            ("alias/web-tls", "alias/web-tls"),
        ] {
            assert_eq!(KeyReference::new(text).0, sent);
        }
    }

    #[test]
    fn times_are_milliseconds() {
        assert_eq!(
            time("1700000000000").unwrap().to_string(),
            "2023-11-14T22:13:20Z"
        );
        assert_eq!(time(""), None);
        assert_eq!(time("soon"), None);
    }
}
