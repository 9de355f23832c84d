//! Small data: `encrypt-data`, `decrypt-data`, `re-encrypt`.

use sealward_core::Purpose;

use super::{
    Operations, check_algorithm, check_ciphertext_length, check_state, context, header, number,
    open_with, seal_with,
};
use crate::audit::Use;
use crate::erased::Erased;
use crate::error::{ApiError, Code};
use crate::wire::request::{DecryptData, EncryptData, ReEncrypt};
use crate::wire::write::{Object, Text};

/// The most bytes of a `plain_text`.
const MAX_PLAINTEXT: usize = 4096;

impl Operations {
    pub(super) async fn encrypt_data(
        &self,
        request: EncryptData<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let cmk = self.named(request.key_id, &mut used.key).await?;
        check_state(&cmk)?;
        check_algorithm("encryption_algorithm", request.encryption_algorithm)?;
        let plaintext = request.plain_text.as_bytes();
        if plaintext.is_empty() || plaintext.len() > MAX_PLAINTEXT {
            return Err(ApiError::field("plain_text", "be 1 to 4096 bytes in UTF-8"));
        }
        let context = context(
            "additional_authenticated_data",
            request.additional_authenticated_data,
            request.encryption_context,
        )?;
        let ciphertext = seal_with(&cmk, Purpose::Data, &context, plaintext, used)?;
        Ok(Object::with_capacity(96 + ciphertext.len() * 4 / 3)
            .id("key_id", &cmk.id)
            .base64("cipher_text", &ciphertext)
            .end())
    }

    pub(super) async fn decrypt_data(
        &self,
        request: DecryptData<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let ciphertext = base64_simd::STANDARD
            .decode_to_vec(request.cipher_text)
            .unwrap_or_default();
        let (cmk, header) = self
            .of_ciphertext(header(&ciphertext), request.key_id, &mut used.key)
            .await?;
        check_state(&cmk)?;
        check_ciphertext_length(request.cipher_text)?;
        check_algorithm("encryption_algorithm", request.encryption_algorithm)?;
        let context = context(
            "additional_authenticated_data",
            request.additional_authenticated_data,
            request.encryption_context,
        )?;
        let plaintext = open_with(&cmk, &header, Purpose::Data, &context, &ciphertext, used)?;
        let plaintext = plaintext.expose();
        // What was sealed offline need not be text. Without `plain_text` a caller that
        // looks only there fails, which is better than going on with half the bytes.
        let text = std::str::from_utf8(plaintext).ok().map(Text::new);
        let room = 128 + text.map_or(0, |text| text.len()) + plaintext.len().div_ceil(3) * 4;
        let mut answer = Object::with_capacity(room).id("key_id", &cmk.id);
        if let Some(text) = text {
            answer = answer.string("plain_text", text);
        }
        Ok(answer.base64("plain_text_base64", plaintext).end())
    }

    /// Data stays data and a DEK stays a DEK; each comes and goes in its own
    /// encoding, base64 or hex.
    pub(super) async fn re_encrypt(
        &self,
        request: ReEncrypt<'_>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        let (ciphertext, is_hex) = decode_either(request.cipher_text);
        let mut source_used = Use::default();
        let found = self
            .of_ciphertext(
                header(&ciphertext),
                request.source_key_id,
                &mut source_used.key,
            )
            .await;
        used.source = source_used.key;
        let (source, header) = found?;
        let destination = self
            .named(request.destination_key_id, &mut used.key)
            .await?;
        check_state(&source)?;
        check_state(&destination)?;
        check_ciphertext_length(request.cipher_text)?;
        check_algorithm(
            "source_encryption_algorithm",
            request.source_encryption_algorithm,
        )?;
        check_algorithm(
            "destination_encryption_algorithm",
            request.destination_encryption_algorithm,
        )?;
        let (from, to) = (
            context(
                "source_additional_authenticated_data",
                request.source_additional_authenticated_data,
                None,
            )?,
            context(
                "destination_additional_authenticated_data",
                request.destination_additional_authenticated_data,
                None,
            )?,
        );
        let purpose = if is_hex { Purpose::Dek } else { Purpose::Data };
        let plaintext = open_with(
            &source,
            &header,
            purpose,
            &from,
            &ciphertext,
            &mut source_used,
        )?;
        let length = request.datakey_cipher_length;
        if is_hex && length.is_some_and(|length| number(length) != Some(plaintext.len())) {
            return Err(ApiError::new(
                Code::DatakeyCipherLengthDiffers,
                "datakey_cipher_length must be the length of the data key in bytes",
            ));
        }
        let ciphertext = seal_with(&destination, purpose, &to, plaintext.expose(), used)?;
        let answer = Object::with_capacity(320 + ciphertext.len() * 2)
            .id("key_id", &destination.id)
            .id("source_key_id", &source.id);
        let answer = if is_hex {
            answer.hex("cipher_text", &ciphertext)
        } else {
            answer.base64("cipher_text", &ciphertext)
        };
        Ok(answer
            .plain("source_encryption_algorithm", "SYMMETRIC_DEFAULT")
            .plain("destination_encryption_algorithm", "SYMMETRIC_DEFAULT")
            .end())
    }
}

/// Decodes what may be base64 or hex, and says whether it was hex. No ciphertext
/// of ours is both: its first bytes are `U1dDMQ` in one and `53574331` in the other.
fn decode_either(text: &str) -> (Vec<u8>, bool) {
    if text.starts_with("53574331") {
        (hex_simd::decode_to_vec(text).unwrap_or_default(), true)
    } else {
        (
            base64_simd::STANDARD
                .decode_to_vec(text)
                .unwrap_or_default(),
            false,
        )
    }
}
