//! The operations of the endpoint that the commands use, typed.
//!
//! Answers that hold a secret are not copied into a `String`: they are read in place from a buffer that is erased.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sealward_core::{Dek, SecretBytes};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::{CallError, Client};
use crate::context::Context;

/// The bytes of a DEK.
const DEK_LEN: usize = 32;
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
        if text.starts_with("alias/") || text.parse::<sealward_core::KeyId>().is_ok() {
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
    /// The version that seals, where the endpoint says.
    pub primary_version: Option<u32>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it will be destroyed.
    pub destroy_at: Option<Timestamp>,
}

#[derive(Default, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plain_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cipher_text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datakey_length: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    datakey_cipher_length: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_authenticated_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_context: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Body<'a> {
    fn bound_to(context: &'a Context) -> Self {
        Self {
            encryption_context: context.as_map(),
            additional_authenticated_data: context.as_text(),
            ..Self::default()
        }
    }
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
        #[derive(Deserialize)]
        struct Answer {
            key_id: String,
            cipher_text: String,
        }
        let body = Body {
            key_id: Some(&key.0),
            plain_text: Some(plaintext),
            ..Body::bound_to(context)
        };
        let raw = self.post("encrypt-data", &body).await?;
        let answer: Answer = self.parse("encrypt-data", &raw)?;
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
        #[derive(Deserialize)]
        struct Answer<'a> {
            key_id: &'a str,
            plain_text_base64: &'a str,
        }
        let body = Body {
            cipher_text: Some(ciphertext),
            ..Body::bound_to(context)
        };
        let raw = self.post("decrypt-data", &body).await?;
        let answer: Answer<'_> = self.parse("decrypt-data", &raw)?;
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
        #[derive(Deserialize)]
        struct Answer<'a> {
            key_id: &'a str,
            cipher_text: &'a str,
            plain_text: &'a str,
        }
        let body = Body {
            key_id: Some(&key.0),
            datakey_length: Some("256"),
            ..Body::bound_to(context)
        };
        let raw = self.post("create-datakey", &body).await?;
        let answer: Answer<'_> = self.parse("create-datakey", &raw)?;
        let ciphertext = hex_simd::decode_to_vec(answer.cipher_text)
            .map_err(|_| self.unreadable("create-datakey", "cipher_text is not hex"))?;
        Ok(DataKey {
            key_id: answer.key_id.to_owned(),
            ciphertext,
            dek: self.dek("create-datakey", answer.plain_text)?,
        })
    }

    /// decrypt-datakey, for a DEK of 32 bytes.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn decrypt_datakey(
        &self,
        ciphertext: &[u8],
        context: &Context,
    ) -> Result<Dek, CallError> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            data_key: &'a str,
        }
        let hex = hex_simd::encode_to_string(ciphertext, hex_simd::AsciiCase::Upper);
        let body = Body {
            cipher_text: Some(&hex),
            datakey_cipher_length: Some("32"),
            ..Body::bound_to(context)
        };
        let raw = self.post("decrypt-datakey", &body).await?;
        let answer: Answer<'_> = self.parse("decrypt-datakey", &raw)?;
        self.dek("decrypt-datakey", answer.data_key)
    }

    /// list-keys, all pages, in the endpoint's order.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn list_keys(&self) -> Result<Vec<Key>, CallError> {
        #[derive(Deserialize)]
        struct Page {
            key_details: Vec<Detail>,
            next_marker: String,
            truncated: String,
        }
        let mut keys = Vec::new();
        let mut marker = String::new();
        for _ in 0..MAX_PAGES {
            let body = Body {
                limit: Some(PAGE),
                marker: Some(&marker),
                ..Body::default()
            };
            let raw = self.post("list-keys", &body).await?;
            let page: Page = self.parse("list-keys", &raw)?;
            keys.extend(page.key_details.into_iter().map(Key::from));
            if page.truncated != "true" || page.next_marker == marker {
                return Ok(keys);
            }
            marker = page.next_marker;
        }
        Ok(keys)
    }

    async fn post(
        &self,
        operation: &'static str,
        body: &Body<'_>,
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
        let mut bytes = Zeroizing::new([0; DEK_LEN]);
        if hex.len() != DEK_LEN * 2
            || hex_simd::decode(hex.as_bytes(), hex_simd::Out::from_slice(&mut bytes[..])).is_err()
        {
            return Err(self.unreadable(operation, "the data key is not 32 bytes in hex"));
        }
        Dek::from_slice(&bytes[..])
            .ok_or_else(|| self.unreadable(operation, "the data key is not 32 bytes in hex"))
    }
}

#[derive(Deserialize)]
struct Detail {
    key_id: String,
    #[serde(default)]
    key_alias: String,
    #[serde(default)]
    key_state: String,
    #[serde(default)]
    creation_date: String,
    #[serde(default)]
    scheduled_deletion_date: String,
    #[serde(default)]
    primary_version: Option<u32>,
}

impl From<Detail> for Key {
    fn from(detail: Detail) -> Self {
        let state = match detail.key_state.as_str() {
            "1" => "WaitingForActivation",
            "2" => "Enabled",
            "3" => "Disabled",
            "4" => "PendingDeletion",
            "5" => "PendingImport",
            other => other,
        };
        Self {
            state: state.to_owned(),
            name: detail.key_alias,
            key_id: detail.key_id,
            primary_version: detail.primary_version,
            created_at: time(&detail.creation_date),
            destroy_at: time(&detail.scheduled_deletion_date),
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
