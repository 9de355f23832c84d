//! Ciphertexts that must not open, and that all fail alike.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::Bed;
use serde_json::{Value, json};

/// The one answer.
const REFUSED: &str = "{\"error\":{\"error_code\":\"KMS.2201\",\"error_msg\":\"the ciphertext does \
    not open: it is damaged, or was made for another key, operation or context\"}}";

async fn decrypt(bed: &Bed, blob: &[u8], more: Value) -> (u16, String) {
    let mut body = json!({"cipher_text": base64_simd::STANDARD.encode_to_string(blob)});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let reply = bed.call("decrypt-data", &body).await;
    (reply.status, String::from_utf8(reply.body).unwrap())
}

async fn sealed(bed: &Bed, more: Value) -> Vec<u8> {
    let mut body = json!({"key_id": bed.key, "plain_text": "secret"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let text = bed.call("encrypt-data", &body).await.text("cipher_text");
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

fn refused() -> (u16, String) {
    (400, REFUSED.to_owned())
}

#[tokio::test]
async fn refuses_a_ciphertext_cut_at_every_length() {
    let bed = Bed::start().await;
    let blob = sealed(&bed, json!({})).await;
    for length in 0..blob.len() {
        assert_eq!(
            decrypt(&bed, &blob[..length], json!({})).await,
            refused(),
            "{length}"
        );
    }
    let mut longer = blob.clone();
    longer.push(0);
    assert_eq!(decrypt(&bed, &longer, json!({})).await, refused());
    assert_eq!(decrypt(&bed, &blob, json!({})).await.0, 200);
}

#[tokio::test]
async fn refuses_every_changed_byte() {
    let bed = Bed::start().await;
    let blob = sealed(&bed, json!({})).await;
    for at in 0..blob.len() {
        for change in [1, 2, 0x80, 0xff] {
            let mut changed = blob.clone();
            changed[at] ^= change;
            let (status, body) = decrypt(&bed, &changed, json!({})).await;
            if (6..22).contains(&at) {
                // A changed key id is an unknown key.
                assert_eq!(status, 404, "{at}");
                assert!(body.contains("KMS.0207"), "{at}: {body}");
            } else {
                assert_eq!((status, body), refused(), "{at} ^ {change}");
            }
        }
    }
}

#[tokio::test]
async fn refuses_base64_that_is_none() {
    let bed = Bed::start().await;
    let text = bed.encrypt("x").await;
    let unpadded = text.trim_end_matches('=').to_owned();
    for bad in [
        String::new(),
        "!".to_owned(),
        format!("{text}="),
        format!(" {text}"),
        format!("{text}\n"),
        text.replacen('U', "-", 1),
        format!("{unpadded}A"),
    ] {
        let reply = bed.call("decrypt-data", &json!({"cipher_text": bad})).await;
        assert_eq!(
            (reply.status, String::from_utf8(reply.body).unwrap()),
            refused(),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn refuses_a_dek_given_to_decrypt_data_and_the_reverse() {
    let bed = Bed::start().await;
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    let dek = hex_simd::decode_to_vec(made.text("cipher_text")).unwrap();
    assert_eq!(decrypt(&bed, &dek, json!({})).await, refused());

    let blob = sealed(&bed, json!({})).await;
    let body = json!({
        "key_id": bed.key,
        "cipher_text": hex_simd::encode_to_string(&blob, hex_simd::AsciiCase::Upper),
        "datakey_cipher_length": "6",
    });
    let reply = bed.call("decrypt-datakey", &body).await;
    assert_eq!(
        (reply.status, String::from_utf8(reply.body).unwrap()),
        refused()
    );
    // Its own operation opens it.
    let body = json!({
        "key_id": bed.key,
        "cipher_text": made.text("cipher_text"),
        "datakey_cipher_length": "32",
    });
    assert_eq!(bed.call("decrypt-datakey", &body).await.status, 200);
    // And re-encrypt does not turn one into the other.
    for cipher_text in [
        base64_simd::STANDARD.encode_to_string(&dek),
        hex_simd::encode_to_string(&blob, hex_simd::AsciiCase::Upper),
    ] {
        let body = json!({"cipher_text": cipher_text, "destination_key_id": bed.key});
        let reply = bed.call("re-encrypt", &body).await;
        assert_eq!(
            (reply.status, String::from_utf8(reply.body).unwrap()),
            refused()
        );
    }
}

#[tokio::test]
async fn refuses_a_ciphertext_of_another_key() {
    let bed = Bed::start().await;
    let other = bed.source.create("shop/other".parse().unwrap());
    let blob = sealed(&bed, json!({})).await;
    let mut moved = blob.clone();
    moved[6..22].copy_from_slice(other.as_bytes());
    assert_eq!(decrypt(&bed, &moved, json!({})).await, refused());
    // The right ciphertext, where the caller expects another key's.
    assert_eq!(
        decrypt(&bed, &blob, json!({"key_id": other})).await,
        refused()
    );
    assert_eq!(
        decrypt(&bed, &blob, json!({"key_id": "alias/other"})).await,
        refused()
    );
    assert_eq!(
        decrypt(&bed, &blob, json!({"key_id": "alias/web"})).await.0,
        200
    );
    let (status, body) = decrypt(&bed, &blob, json!({"key_id": "alias/none"})).await;
    assert!(status == 404 && body.contains("KMS.0207"), "{body}");
    let body = json!({
        "cipher_text": base64_simd::STANDARD.encode_to_string(&blob),
        "destination_key_id": bed.key,
        "source_key_id": other,
    });
    let reply = bed.call("re-encrypt", &body).await;
    assert_eq!(
        (reply.status, String::from_utf8(reply.body).unwrap()),
        refused()
    );
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    let body = json!({
        "key_id": other,
        "cipher_text": made.text("cipher_text"),
        "datakey_cipher_length": "32",
    });
    let reply = bed.call("decrypt-datakey", &body).await;
    assert_eq!(
        (reply.status, String::from_utf8(reply.body).unwrap()),
        refused()
    );
}

#[tokio::test]
async fn refuses_a_ciphertext_of_another_version() {
    let bed = Bed::start().await;
    let blob = sealed(&bed, json!({})).await;
    bed.source.rotate(bed.key);
    bed.settle().await;
    for version in [0_u32, 2, 3, u32::MAX] {
        let mut other = blob.clone();
        other[22..26].copy_from_slice(&version.to_be_bytes());
        assert_eq!(
            decrypt(&bed, &other, json!({})).await,
            refused(),
            "{version}"
        );
    }
    assert_eq!(decrypt(&bed, &blob, json!({})).await.0, 200);
}

#[tokio::test]
async fn refuses_wrong_missing_and_superfluous_context() {
    let bed = Bed::start().await;
    let aad = |text: &str| json!({"additional_authenticated_data": text});
    let map = |value: &str| json!({"encryption_context": {"tenant": value}});
    let (bare, with_aad, with_map) = (
        sealed(&bed, json!({})).await,
        sealed(&bed, aad("tenant=a")).await,
        sealed(&bed, map("a")).await,
    );
    for (blob, context) in [
        (&bare, aad("tenant=a")),
        (&bare, map("a")),
        (&with_aad, json!({})),
        (&with_aad, aad("tenant=b")),
        (&with_aad, aad("tenant=a ")),
        (&with_aad, map("a")),
        (&with_map, json!({})),
        (&with_map, map("b")),
        (&with_map, aad("tenant=a")),
        (
            &with_map,
            json!({"encryption_context": {"tenant": "a", "more": ""}}),
        ),
    ] {
        assert_eq!(
            decrypt(&bed, blob, context.clone()).await,
            refused(),
            "{context}"
        );
    }
    assert_eq!(decrypt(&bed, &with_aad, aad("tenant=a")).await.0, 200);
    assert_eq!(decrypt(&bed, &with_map, map("a")).await.0, 200);
}

#[tokio::test]
async fn a_version_that_is_damaged_here_is_not_the_fault_of_the_ciphertext() {
    let bed = Bed::start().await;
    let blob = sealed(&bed, json!({})).await;
    let fresh = bed.source.create("shop/lost".parse().unwrap());
    bed.source.update(fresh, |cmk| {
        cmk.unusable = cmk.versions.drain(..).map(|key| key.version()).collect();
    });
    let mut lost = blob.clone();
    lost[6..22].copy_from_slice(fresh.as_bytes());
    let (status, body) = decrypt(&bed, &lost, json!({})).await;
    assert_eq!(status, 503, "{body}");
    assert!(
        body.contains("KMS.0104") && body.contains("version 1"),
        "{body}"
    );
    let body = json!({"key_id": fresh, "plain_text": "x"});
    bed.call("encrypt-data", &body)
        .await
        .refused(503, "KMS.0104")
        .says("shop/lost");
}

#[tokio::test]
async fn plaintext_that_is_not_text_comes_in_base64_alone() {
    use sealward_core::{EncryptionContext, KeyVersion, Purpose, VersionKey, seal};
    let bed = Bed::start().await;
    let secret = [3; 32];
    let key = VersionKey::new(bed.key, KeyVersion::FIRST, &secret);
    // As if it had been sealed offline.
    let blob = seal(
        &key,
        Purpose::Data,
        &EncryptionContext::none(),
        b"\xff\0",
        &mut getrandom::SysRng,
    )
    .unwrap();
    bed.source
        .update(bed.key, |cmk| cmk.versions = vec![std::sync::Arc::new(key)]);
    bed.settle().await;
    let (status, body) = decrypt(&bed, &blob, json!({})).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, body.get("plain_text")), (200, None));
    assert_eq!(body["plain_text_base64"], "/wA=");
}
