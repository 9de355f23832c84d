//! Data keys, and random bytes.

use sealward_core::{Purpose, SecretBytes};
use sha2::{Digest as _, Sha256};

use super::{
    Operations, check_ciphertext_length, check_state, context, header, number, open_with, seal_with,
};
use crate::audit::Use;
use crate::erased::Erased;
use crate::error::{ApiError, Code};
use crate::wire::request::{CreateDatakey, DecryptDatakey, EncryptDatakey, GenRandom};
use crate::wire::write::Object;

/// The most bits of a data key, and of random data.
const MAX_BITS: usize = 8192;

/// The most bytes of a data key.
const MAX_BYTES: usize = MAX_BITS / 8;

/// SHA-256, in bytes.
const DIGEST: usize = 32;

impl Operations {
    pub(super) async fn create_datakey(
        &self,
        request: CreateDatakey<'_>,
        with_plaintext: bool,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let cmk = self.named(request.key_id, &mut used.key).await?;
        check_state(&cmk)?;
        let length = datakey_length(request.key_spec, request.datakey_length)?;
        let context = context(
            "additional_authenticated_data",
            request.additional_authenticated_data,
            request.encryption_context,
        )?;
        let dek = random(length)?;
        let ciphertext = seal_with(&cmk, Purpose::Dek, &context, dek.expose(), used)?;
        let mut answer =
            Object::with_capacity(128 + (length + ciphertext.len()) * 2).id("key_id", &cmk.id);
        if with_plaintext {
            answer = answer.hex("plain_text", dek.expose());
        }
        Ok(answer.hex("cipher_text", &ciphertext).end())
    }

    pub(super) async fn encrypt_datakey(
        &self,
        request: EncryptDatakey<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let cmk = self.named(request.key_id, &mut used.key).await?;
        check_state(&cmk)?;
        let plaintext = checked_plaintext(request.plain_text, request.datakey_plain_length)?;
        let context = context(
            "additional_authenticated_data",
            request.additional_authenticated_data,
            request.encryption_context,
        )?;
        let dek = &plaintext[..plaintext.len() - DIGEST];
        let ciphertext = seal_with(&cmk, Purpose::Dek, &context, dek, used)?;
        Ok(Object::with_capacity(160 + ciphertext.len() * 2)
            .id("key_id", &cmk.id)
            .hex("cipher_text", &ciphertext)
            .plain("datakey_length", &dek.len().to_string())
            .end())
    }

    pub(super) async fn decrypt_datakey(
        &self,
        request: DecryptDatakey<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let ciphertext = hex_simd::decode_to_vec(request.cipher_text).unwrap_or_default();
        let (cmk, header) = self
            .of_ciphertext(header(&ciphertext), Some(request.key_id), &mut used.key)
            .await?;
        check_state(&cmk)?;
        check_ciphertext_length(request.cipher_text)?;
        let length = number(request.datakey_cipher_length)
            .filter(|length| (1..=MAX_BYTES).contains(length))
            .ok_or_else(|| {
                ApiError::new(
                    Code::DatakeyCipherLength,
                    "datakey_cipher_length must be the length of the data key in bytes, 1 to 1024",
                )
            })?;
        let context = context(
            "additional_authenticated_data",
            request.additional_authenticated_data,
            request.encryption_context,
        )?;
        let dek = open_with(&cmk, &header, Purpose::Dek, &context, &ciphertext, used)?;
        if dek.len() != length {
            return Err(ApiError::new(
                Code::DatakeyCipherLengthDiffers,
                "datakey_cipher_length is not the length of the data key in cipher_text",
            ));
        }
        Ok(Object::with_capacity(160 + dek.len() * 2)
            .hex("data_key", dek.expose())
            .plain("datakey_length", &dek.len().to_string())
            .hex("datakey_dgst", &Sha256::digest(dek.expose()))
            .end())
    }
}

/// `gen-random`: needs no key.
pub(super) fn gen_random(request: &GenRandom<'_>) -> Result<Erased, ApiError> {
    let bits = number(request.random_data_length)
        .filter(|bits| (1..=MAX_BITS).contains(bits))
        .ok_or_else(|| {
            ApiError::new(
                Code::RandomLength,
                "random_data_length must be 8 to 8192 bits",
            )
        })?;
    if bits % 8 != 0 {
        return Err(ApiError::new(
            Code::RandomLengthBits,
            "random_data_length must be a multiple of 8 bits",
        ));
    }
    let data = random(bits / 8)?;
    Ok(Object::with_capacity(32 + data.len() * 2)
        .hex("random_data", data.expose())
        .end())
}

/// Bytes of a new data key. The length wins over the kind, but a kind that we do
/// not make is refused all the same.
fn datakey_length(key_spec: Option<&str>, bits: Option<&str>) -> Result<usize, ApiError> {
    let by_kind = match key_spec {
        None | Some("AES_256") => 32,
        Some("AES_128") => 16,
        Some(_) => {
            return Err(ApiError::new(
                Code::DatakeySpec,
                "key_spec must be AES_256 or AES_128",
            ));
        }
    };
    let Some(bits) = bits else { return Ok(by_kind) };
    let bits = number(bits)
        .filter(|bits| (1..=MAX_BITS).contains(bits))
        .ok_or_else(|| {
            ApiError::new(Code::DatakeyLength, "datakey_length must be 8 to 8192 bits")
        })?;
    if bits % 8 != 0 {
        return Err(ApiError::new(
            Code::DatakeyLengthBits,
            "datakey_length must be a multiple of 8 bits",
        ));
    }
    Ok(bits / 8)
}

/// The DEK with its digest behind it, both checked.
fn checked_plaintext(hex: &str, length: &str) -> Result<Erased, ApiError> {
    let plaintext = hex_simd::decode_to_vec(hex).map(Erased::new).map_err(|_| {
        ApiError::new(
            Code::DatakeyPlaintext,
            "plain_text must be hexadecimal digits: the data key, then its SHA-256",
        )
    })?;
    if !(DIGEST + 1..=DIGEST + MAX_BYTES).contains(&plaintext.len()) {
        return Err(ApiError::new(
            Code::DatakeyPlaintextLength,
            "plain_text must be a data key of 1 to 1024 bytes, followed by its SHA-256",
        ));
    }
    let (dek, digest) = plaintext.split_at(plaintext.len() - DIGEST);
    if number(length) != Some(dek.len()) {
        return Err(ApiError::new(
            Code::DatakeyLengthDiffers,
            "datakey_plain_length must be the length of the data key alone, in bytes",
        ));
    }
    // Both come from the caller: nothing is learnt from how long this takes.
    if Sha256::digest(dek)[..] != *digest {
        return Err(ApiError::new(
            Code::DatakeyDigest,
            "plain_text does not end with the SHA-256 of the data key before it",
        ));
    }
    Ok(plaintext)
}

fn random(length: usize) -> Result<SecretBytes, ApiError> {
    let mut bytes = SecretBytes::zeroed(length);
    getrandom::fill(bytes.expose_mut())
        .map_err(|_| ApiError::new(Code::Internal, "the system has no random bytes"))?;
    Ok(bytes)
}
