//! Bodies of answers, as a client reads them. The endpoint writes them in
//! `operations`, straight into a buffer; a test holds the two together.
//!
//! Fields that hold plaintext are ordinary strings here: erasing them is up to
//! the client that parses them.

use serde::Deserialize;

/// `encrypt-data`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct EncryptData {
    /// UUID of the key.
    pub key_id: String,
    /// Base64.
    pub cipher_text: String,
}

/// `decrypt-data`
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct DecryptData {
    /// UUID of the key.
    pub key_id: String,
    /// The text; absent where the plaintext is not UTF-8.
    pub plain_text: Option<String>,
    /// The bytes, base64.
    pub plain_text_base64: String,
}

/// `re-encrypt`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ReEncrypt {
    /// UUID of the key that it is encrypted under now.
    pub key_id: String,
    /// UUID of the key that it was encrypted under.
    pub source_key_id: String,
    /// In the encoding in which the old one came.
    pub cipher_text: String,
}

/// `create-datakey`, and without `plain_text` `create-datakey-without-plaintext`
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct CreateDatakey {
    /// UUID of the key.
    pub key_id: String,
    /// Hex.
    pub plain_text: Option<String>,
    /// Hex.
    pub cipher_text: String,
}

/// `encrypt-datakey`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct EncryptDatakey {
    /// UUID of the key.
    pub key_id: String,
    /// Hex.
    pub cipher_text: String,
    /// Bytes of the DEK.
    pub datakey_length: String,
}

/// `decrypt-datakey`
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct DecryptDatakey {
    /// Hex.
    pub data_key: String,
    /// Bytes of the DEK.
    pub datakey_length: String,
    /// Hex of its SHA-256.
    pub datakey_dgst: String,
}

/// `describe-key`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct DescribeKey {
    /// The key.
    pub key_info: KeyDetails,
}

/// `list-keys`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ListKeys {
    /// UUIDs, in order.
    pub keys: Vec<String>,
    /// The same keys.
    pub key_details: Vec<KeyDetails>,
    /// For the next page; empty on the last.
    pub next_marker: String,
    /// `true` or `false`: whether there is a next page.
    pub truncated: String,
    /// Keys that fit the filter, on all pages.
    pub total: u64,
}

/// What is told of a key. All values are strings, empty where there is none.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct KeyDetails {
    /// UUID.
    pub key_id: String,
    /// `NAMESPACE/NAME`: after `alias/` it is a `key_id`.
    pub key_alias: String,
    /// `AES_256`.
    pub key_spec: String,
    /// `ENCRYPT_DECRYPT`.
    pub key_usage: String,
    /// As in the CMK's spec.
    pub key_description: String,
    /// Milliseconds since 1970.
    pub creation_date: String,
    /// Milliseconds since 1970.
    pub scheduled_deletion_date: String,
    /// `2` enabled, `3` disabled, `4` pending deletion.
    pub key_state: String,
    /// `true` or `false`.
    pub key_rotation_enabled: String,
    /// The version that seals. Not a field of the API.
    pub primary_version: String,
}

/// `gen-random`
#[derive(Clone, Deserialize, PartialEq, Eq)]
pub struct GenRandom {
    /// Hex.
    pub random_data: String,
}

/// Any refusal.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Refusal {
    /// Its content.
    pub error: RefusalDetails,
}

/// What a refusal says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RefusalDetails {
    /// `KMS.nnnn`.
    pub error_code: String,
    /// What is wrong, and what to do.
    pub error_msg: String,
}
