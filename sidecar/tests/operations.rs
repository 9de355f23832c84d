//! What the operations do when they are used as they are meant to be.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Bed, Reply, TOKEN, raw, request};
use sealward_sidecar::source::{CmkState, SourceKind};
use sealward_sidecar::wire::answer;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

fn hex(bytes: &[u8]) -> String {
    hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Upper)
}

#[tokio::test]
async fn data_comes_back_as_it_was() {
    let bed = Bed::start().await;
    let longest = "x".repeat(4096);
    let control = "\u{1}".repeat(4096);
    for text in [
        "a",
        "line\nline\r\n",
        "\"\\/\u{0}",
        "grüße 😀",
        &longest,
        &control,
    ] {
        let sealed: answer::EncryptData = serde_json::from_value(
            bed.call(
                "encrypt-data",
                &json!({"key_id": "alias/web", "plain_text": text}),
            )
            .await
            .json(),
        )
        .unwrap();
        assert_eq!(sealed.key_id, bed.key.to_string());
        let opened: answer::DecryptData = serde_json::from_value(
            bed.call("decrypt-data", &json!({"cipher_text": sealed.cipher_text}))
                .await
                .json(),
        )
        .unwrap();
        assert_eq!(opened.key_id, bed.key.to_string());
        assert_eq!(opened.plain_text.as_deref(), Some(text));
        let bytes = base64_simd::STANDARD
            .decode_to_vec(opened.plain_text_base64)
            .unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
}

#[tokio::test]
async fn accepts_4096_control_characters_escaped() {
    let bed = Bed::start().await;
    let body = format!(
        "{{\"key_id\":\"{}\",\"plain_text\":\"{}\"}}",
        bed.key,
        "\\u0001".repeat(4096)
    );
    assert!(body.len() > 24_000);
    let sealed = bed
        .post("encrypt-data", body.as_bytes())
        .await
        .text("cipher_text");
    let opened = bed
        .call("decrypt-data", &json!({"cipher_text": sealed}))
        .await;
    assert_eq!(opened.text("plain_text"), "\u{1}".repeat(4096));
}

#[tokio::test]
async fn ciphertext_lengths_fit_the_patterns_of_the_api() {
    let bed = Bed::start().await;
    for (text, least, most) in [("x", 128, 5648), (&*"x".repeat(4096), 128, 5648)] {
        let length = bed.encrypt(text).await.len();
        assert!((least..=most).contains(&length), "{length}");
    }
}

#[tokio::test]
async fn every_name_of_a_key_leads_to_it() {
    let bed = Bed::start().await;
    for key_id in [
        bed.key.to_string(),
        "alias/web".into(),
        "alias/shop/web".into(),
    ] {
        let body = json!({"key_id": key_id, "plain_text": "x"});
        assert_eq!(
            bed.call("encrypt-data", &body).await.text("key_id"),
            bed.key.to_string()
        );
    }
}

#[tokio::test]
async fn the_context_is_aad_or_a_map_and_empty_is_none() {
    let bed = Bed::start().await;
    let none = json!({});
    let aad = json!({"additional_authenticated_data": "tenant=a"});
    let map = json!({"encryption_context": {"tenant": "a", "b": ""}});
    let same_map = json!({"encryption_context": {"b": "", "tenant": "a"}});
    let empties = [
        json!({"additional_authenticated_data": ""}),
        json!({"encryption_context": {}}),
    ];
    let with = |fields: &serde_json::Value, more: serde_json::Value| {
        let mut body = more;
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        body
    };
    for (sealing, opening) in [
        (&none, &none),
        (&aad, &aad),
        (&map, &same_map),
        (&none, &empties[0]),
        (&none, &empties[1]),
        (&empties[0], &none),
    ] {
        let body = with(sealing, json!({"key_id": bed.key, "plain_text": "x"}));
        let sealed = bed.call("encrypt-data", &body).await.text("cipher_text");
        let body = with(opening, json!({"cipher_text": sealed}));
        assert_eq!(
            bed.call("decrypt-data", &body).await.text("plain_text"),
            "x"
        );
    }
}

#[tokio::test]
async fn old_versions_open_after_rotation_and_re_encrypt_moves_on() {
    let bed = Bed::start().await;
    let sealed = bed.encrypt("x").await;
    bed.source.rotate(bed.key);
    bed.settle().await;
    let opened = bed
        .call("decrypt-data", &json!({"cipher_text": sealed}))
        .await;
    assert_eq!(opened.text("plain_text"), "x");

    let body = json!({
        "cipher_text": sealed,
        "destination_key_id": "alias/web",
        "destination_additional_authenticated_data": "a",
    });
    let moved = bed.call("re-encrypt", &body).await;
    assert_eq!(
        moved.text("source_encryption_algorithm"),
        "SYMMETRIC_DEFAULT"
    );
    let blob = base64_simd::STANDARD
        .decode_to_vec(moved.text("cipher_text"))
        .unwrap();
    assert_eq!(blob[22..26], [0, 0, 0, 2], "under the new version");
    let body = json!({
        "cipher_text": moved.text("cipher_text"),
        "additional_authenticated_data": "a",
    });
    assert_eq!(
        bed.call("decrypt-data", &body).await.text("plain_text"),
        "x"
    );
}

#[tokio::test]
async fn re_encrypt_takes_data_keys_in_hex() {
    let bed = Bed::start().await;
    let other = bed.source.create("shop/other".parse().unwrap());
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    let body = json!({"cipher_text": made.text("cipher_text"), "destination_key_id": other});
    let moved = bed.call("re-encrypt", &body).await;
    let body = json!({
        "key_id": other,
        "cipher_text": moved.text("cipher_text"),
        "datakey_cipher_length": "32",
    });
    let opened = bed.call("decrypt-datakey", &body).await;
    assert_eq!(opened.text("data_key"), made.text("plain_text"));
}

#[tokio::test]
async fn data_keys_are_made_opened_and_wrapped() {
    let bed = Bed::start().await;
    for (fields, bytes) in [
        (json!({}), 32),
        (json!({"key_spec": "AES_256"}), 32),
        (json!({"key_spec": "AES_128"}), 16),
        (json!({"datakey_length": "8"}), 1),
        (
            json!({"datakey_length": "8192", "key_spec": "AES_128"}),
            1024,
        ),
    ] {
        let mut body = json!({"key_id": bed.key, "additional_authenticated_data": "a"});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let made = bed.call("create-datakey", &body).await;
        let dek = made.text("plain_text");
        assert_eq!(dek.len(), bytes * 2);
        assert_eq!(dek, dek.to_uppercase());
        let without = bed.call("create-datakey-without-plaintext", &body).await;
        assert!(without.json().get("plain_text").is_none());
        assert_eq!(
            without.text("cipher_text").len(),
            made.text("cipher_text").len()
        );

        let body = json!({
            "key_id": bed.key,
            "cipher_text": made.text("cipher_text").to_lowercase(),
            "datakey_cipher_length": bytes.to_string(),
            "additional_authenticated_data": "a",
        });
        let opened = bed.call("decrypt-datakey", &body).await;
        assert_eq!(opened.text("data_key"), dek);
        assert_eq!(opened.text("datakey_length"), bytes.to_string());
        let raw = hex_simd::decode_to_vec(&dek).unwrap();
        assert_eq!(opened.text("datakey_dgst"), hex(&Sha256::digest(&raw)));
        assert!(opened.json().get("key_id").is_none());

        let body = json!({
            "key_id": bed.key,
            "plain_text": format!("{dek}{}", hex(&Sha256::digest(&raw))),
            "datakey_plain_length": bytes.to_string(),
        });
        let wrapped = bed.call("encrypt-datakey", &body).await;
        assert_eq!(wrapped.text("datakey_length"), bytes.to_string());
        let body = json!({
            "key_id": bed.key,
            "cipher_text": wrapped.text("cipher_text"),
            "datakey_cipher_length": bytes.to_string(),
        });
        assert_eq!(
            bed.call("decrypt-datakey", &body).await.text("data_key"),
            dek
        );
    }
}

#[tokio::test]
async fn random_data_has_the_length_that_was_asked_for() {
    let bed = Bed::start().await;
    for bits in [8, 512, 8192] {
        let body = json!({"random_data_length": bits.to_string()});
        let data = bed.call("gen-random", &body).await.text("random_data");
        assert_eq!(data.len(), bits / 4);
    }
}

#[tokio::test]
async fn keys_are_described_and_listed_by_pages() {
    let bed = Bed::start().await;
    let other = bed.source.create("other/db".parse().unwrap());
    bed.source.update(other, |cmk| {
        cmk.description = "a \"key\"\n".into();
        cmk.rotates = true;
    });
    let gone = bed.source.create("shop/gone".parse().unwrap());
    bed.source.set_state(
        gone,
        CmkState::Destroyed {
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
        },
    );

    let reply = bed.call("describe-key", &json!({"key_id": other})).await;
    let described: answer::DescribeKey = serde_json::from_value(reply.json()).unwrap();
    assert_eq!(described.key_info.key_alias, "other/db");
    assert_eq!(described.key_info.key_description, "a \"key\"\n");
    assert_eq!(described.key_info.key_state, "2");
    assert_eq!(described.key_info.key_rotation_enabled, "true");
    assert_eq!(described.key_info.primary_version, "1");

    // SDKs send no body at all where no field is set.
    let all: answer::ListKeys =
        serde_json::from_value(bed.post("list-keys", b"").await.json()).unwrap();
    let mut expected = vec![bed.key.to_string(), other.to_string()];
    expected.sort();
    assert_eq!(all.keys, expected);
    assert_eq!(
        (all.total, all.truncated.as_str(), all.next_marker.as_str()),
        (2, "false", "")
    );
    assert_eq!(all.key_details.len(), 2);

    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let body = json!({"limit": "1", "marker": marker, "key_state": "", "key_spec": "ALL"});
        let page: answer::ListKeys =
            serde_json::from_value(bed.call("list-keys", &body).await.json()).unwrap();
        seen.extend(page.keys);
        marker = page.next_marker;
        if page.truncated == "false" {
            break;
        }
    }
    assert_eq!(seen, expected);
    for (filter, total) in [
        (json!({"key_state": "3"}), 0),
        (json!({"key_state": "2"}), 2),
        (json!({"key_spec": "SM4"}), 0),
        (json!({"enterprise_project_id": "0"}), 2),
        (json!({"enterprise_project_id": "other"}), 0),
    ] {
        assert_eq!(
            bed.call("list-keys", &filter).await.json()["total"],
            total,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn disabled_and_pending_keys_are_described() {
    let bed = Bed::start().await;
    let destroy_at = "2026-12-24T00:00:00Z".parse().unwrap();
    for (state, number, date) in [
        (CmkState::Disabled, "3", ""),
        (
            CmkState::PendingDeletion { destroy_at },
            "4",
            "1798070400000",
        ),
    ] {
        bed.source.set_state(bed.key, state);
        bed.settle().await;
        let info = bed
            .call("describe-key", &json!({"key_id": bed.key}))
            .await
            .json();
        assert_eq!(info["key_info"]["key_state"], number);
        assert_eq!(info["key_info"]["scheduled_deletion_date"], date);
    }
}

#[tokio::test]
async fn the_version_list_is_there_for_get() {
    let bed = Bed::start().await;
    let headers = [("host", "localhost"), ("x-auth-token", TOKEN)];
    let list = bed.send(&raw("GET", "/", &headers, b"")).await;
    assert_eq!(list.json()["versions"][0]["id"], "v1.0");
    let one = bed.send(&raw("GET", "/v1.0", &headers, b"")).await;
    assert_eq!(one.json()["version"]["status"], "CURRENT");
}

#[tokio::test]
async fn answers_carry_an_id_and_must_not_be_cached() {
    let bed = Bed::start().await;
    let body = json!({"random_data_length": "8"});
    let (one, two) = (
        bed.call("gen-random", &body).await,
        bed.call("gen-random", &body).await,
    );
    assert_eq!(one.header("content-type"), Some("application/json"));
    assert_eq!(one.header("cache-control"), Some("no-store"));
    assert_eq!(one.header("x-request-id").unwrap().len(), 32);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn both_families_and_keep_alive_and_pipelining_work() {
    let bed = Bed::start().await;
    assert!(
        bed.addresses
            .iter()
            .all(|address| address.ip().is_loopback())
    );
    assert!(
        bed.addresses
            .iter()
            .all(|address| address.port() == bed.address.port())
    );
    let body = b"{\"random_data_length\":\"8\"}";
    let one = request(
        "gen-random",
        &[("authorization", &format!("Bearer {TOKEN}"))],
        body,
    );
    for address in &bed.addresses {
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..3 {
            stream.write_all(&one).await.unwrap();
            assert_eq!(Reply::read(&mut stream).await.status, 200);
        }
        stream.write_all(&one.repeat(3)).await.unwrap();
        for _ in 0..3 {
            assert_eq!(Reply::read(&mut stream).await.status, 200);
        }
    }
}

#[tokio::test]
async fn chunked_bodies_work() {
    let bed = Bed::start().await;
    let text = format!(
        "POST /v1.0/p/kms/gen-random HTTP/1.1\r\nhost: localhost\r\nx-auth-token: {TOKEN}\r\n\
         transfer-encoding: chunked\r\n\r\n5\r\n{{\"ran\r\n15\r\ndom_data_length\":\"8\"}}\r\n0\r\n\r\n"
    );
    assert_eq!(bed.send(text.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn operations_that_are_done_elsewhere_say_where() {
    for (kind, hint) in [
        (SourceKind::Cluster, "kubectl sealward rotate"),
        (SourceKind::Folder, "sealward.dev/rotate-requested-at"),
    ] {
        let bed = Bed::with(kind, |_| {}).await;
        for method in ["GET", "POST", "DELETE"] {
            let headers = [("host", "localhost"), ("x-auth-token", TOKEN)];
            let target = "/v1.0/p/kms/rotate-on-demand";
            bed.send(&raw(method, target, &headers, b""))
                .await
                .refused(403, "KMS.0306")
                .says(hint);
        }
    }
}
