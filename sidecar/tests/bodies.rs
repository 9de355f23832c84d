//! Bodies that are refused, and why: one test for each kind of bad input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Bed, Reply, TOKEN};
use sealward_sidecar::source::CmkState;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const BODY: &[u8] = b"{\"random_data_length\":\"8\"}";

fn hex(bytes: &[u8]) -> String {
    hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Lower)
}

#[tokio::test]
async fn refuses_a_body_over_64_kb() {
    let bed = Bed::start().await;
    let fits = format!(
        "{{\"random_data_length\":\"8\"{}}}",
        " ".repeat(65_536 - BODY.len())
    );
    assert_eq!(fits.len(), 65_536);
    assert_eq!(bed.post("gen-random", fits.as_bytes()).await.status, 200);
    let over = format!("{fits} ");
    bed.post("gen-random", over.as_bytes())
        .await
        .refused(400, "KMS.0203")
        .says("65536");

    // Without a length, it is found out while reading.
    let head = format!(
        "POST /v1.0/p/kms/gen-random HTTP/1.1\r\nhost: localhost\r\nx-auth-token: {TOKEN}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let chunk = format!("{:x}\r\n{}\r\n", 32_768, " ".repeat(32_768));
    let chunked = [head.as_str(), &chunk, &chunk, "1\r\n \r\n", "0\r\n\r\n"].concat();
    bed.send(chunked.as_bytes()).await.refused(400, "KMS.0203");
}

#[tokio::test]
async fn refuses_a_body_that_says_it_will_be_too_long_before_it_comes() {
    let bed = Bed::start().await;
    let head = format!(
        "POST /v1.0/p/kms/gen-random HTTP/1.1\r\nhost: localhost\r\nx-auth-token: {TOKEN}\r\n\
         content-length: 1000000000000\r\n\r\n"
    );
    let reply = bed.send(head.as_bytes()).await;
    assert_eq!(
        reply.refused(400, "KMS.0203").header("connection"),
        Some("close")
    );
}

#[tokio::test]
async fn refuses_what_is_not_json() {
    let bed = Bed::start().await;
    for body in [
        &b""[..],
        b"hello",
        b"[]",
        b"null",
        b"\"x\"",
        b"{",
        b"{\"random_data_length\":\"8\"}x",
        b"{random_data_length:8}",
        b"{'random_data_length':'8'}",
        b"\xff\xfe",
        b"{\"a\":\"\xff\"}",
        b"{\"random_data_length\":\"8\xc3\"}",
        b"<xml/>",
        b"a=b&c=d",
        b"\xef\xbb\xbf{}",
    ] {
        let reply = bed.post("gen-random", body).await;
        assert_eq!(reply.status, 400, "{}", String::from_utf8_lossy(body));
        let expected = if body == b"{\"a\":\"\xff\"}" {
            "KMS.0308"
        } else {
            "KMS.0202"
        };
        reply.refused(400, expected);
    }
}

#[tokio::test]
async fn refuses_lone_surrogates() {
    let bed = Bed::start().await;
    for lone in ["\\ud800", "\\udc00", "\\ud800x", "\\ud800\\ud800"] {
        let body = format!("{{\"key_id\":\"{}\",\"plain_text\":\"{lone}\"}}", bed.key);
        bed.post("encrypt-data", body.as_bytes())
            .await
            .refused(400, "KMS.0202")
            .says("surrogates in pairs");
    }
}

/// For each operation, a body that is right.
fn right(bed: &Bed, ciphertext: &str, dek: &str) -> Vec<(&'static str, Value)> {
    let digest = hex(&Sha256::digest([1; 32]));
    vec![
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x"}),
        ),
        ("decrypt-data", json!({"cipher_text": ciphertext})),
        (
            "re-encrypt",
            json!({"cipher_text": ciphertext, "destination_key_id": bed.key}),
        ),
        ("create-datakey", json!({"key_id": bed.key})),
        (
            "create-datakey-without-plaintext",
            json!({"key_id": bed.key}),
        ),
        (
            "encrypt-datakey",
            json!({
                "key_id": bed.key,
                "plain_text": format!("{}{digest}", "01".repeat(32)),
                "datakey_plain_length": "32",
            }),
        ),
        (
            "decrypt-datakey",
            json!({"key_id": bed.key, "cipher_text": dek, "datakey_cipher_length": "32"}),
        ),
        ("describe-key", json!({"key_id": bed.key})),
        ("gen-random", json!({"random_data_length": "8"})),
    ]
}

async fn rights(bed: &Bed) -> Vec<(&'static str, Value)> {
    let ciphertext = bed.encrypt("x").await;
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    right(bed, &ciphertext, &made.text("cipher_text"))
}

#[tokio::test]
async fn refuses_missing_fields_by_name() {
    let bed = Bed::start().await;
    for (operation, body) in rights(&bed).await {
        let reply = bed.call(operation, &body).await;
        assert_eq!(reply.status, 200, "{operation}: {}", reply.message());
        for name in body.as_object().unwrap().keys() {
            let mut less = body.clone();
            less.as_object_mut().unwrap().remove(name);
            bed.call(operation, &less)
                .await
                .refused(400, "KMS.0204")
                .says(name);
        }
    }
}

#[tokio::test]
async fn refuses_wrongly_typed_fields_by_name() {
    let bed = Bed::start().await;
    for (operation, body) in rights(&bed).await {
        for name in body.as_object().unwrap().keys() {
            for wrong in [json!(null), json!(8), json!(true), json!([]), json!({})] {
                let mut other = body.clone();
                other[name] = wrong;
                bed.call(operation, &other)
                    .await
                    .refused(400, "KMS.0308")
                    .says(name);
            }
        }
    }
}

#[tokio::test]
async fn refuses_unknown_and_repeated_fields_by_name() {
    let bed = Bed::start().await;
    for (operation, body) in rights(&bed).await {
        let mut more = body.clone();
        more["grant_tokens"] = json!("x");
        bed.call(operation, &more)
            .await
            .refused(400, "KMS.0308")
            .says("grant_tokens");
        let text = body.to_string();
        let twice = format!("{},{}", &text[..text.len() - 1], &text[1..]);
        bed.post(operation, twice.as_bytes())
            .await
            .refused(400, "KMS.0308")
            .says("given twice");
    }
    let body = r#"{"key_id":"alias/web","plain_text":"x","encryption_context":{"a":"1","a":"1"}}"#;
    bed.post("encrypt-data", body.as_bytes())
        .await
        .refused(400, "KMS.0208")
        .says("twice");
}

#[tokio::test]
async fn refuses_0_and_4097_bytes_of_plaintext() {
    let bed = Bed::start().await;
    // 2 bytes each: it is bytes that count.
    for text in [String::new(), "x".repeat(4097), "é".repeat(2049)] {
        let body = json!({"key_id": bed.key, "plain_text": text});
        bed.call("encrypt-data", &body)
            .await
            .refused(400, "KMS.0308")
            .says("1 to 4096 bytes");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
async fn refuses_values_out_of_range_with_their_code() {
    let bed = Bed::start().await;
    let digest = hex(&Sha256::digest([1; 32]));
    let dek = "01".repeat(32);
    let long = "x".repeat(129);
    let wrapped = |plain: String, length: &str| json!({"key_id": bed.key, "plain_text": plain, "datakey_plain_length": length});
    let spread: serde_json::Map<_, _> = (0..64)
        .map(|n| (format!("{n:03}"), json!("x".repeat(126))))
        .collect();
    for (operation, body, code) in [
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "additional_authenticated_data": long}),
            "KMS.0308",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_context": {"a": "x".repeat(8192)}}),
            "KMS.0208",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_context": spread}),
            "KMS.0208",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_context": "a"}),
            "KMS.0208",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_context": {"a": 1}}),
            "KMS.0208",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_context": {"a": "1"}, "additional_authenticated_data": "a"}),
            "KMS.0308",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "encryption_algorithm": "SM4"}),
            "KMS.0308",
        ),
        (
            "encrypt-data",
            json!({"key_id": bed.key, "plain_text": "x", "sequence": "1"}),
            "KMS.0206",
        ),
        (
            "decrypt-data",
            json!({"cipher_text": "A".repeat(7204)}),
            "KMS.2201",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "key_spec": "SM4"}),
            "KMS.1902",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "key_spec": "HMAC_256", "datakey_length": "256"}),
            "KMS.1902",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": "0"}),
            "KMS.1901",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": "8200"}),
            "KMS.1901",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": "-8"}),
            "KMS.1901",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": "99999999999999999999"}),
            "KMS.1901",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": ""}),
            "KMS.1901",
        ),
        (
            "create-datakey",
            json!({"key_id": bed.key, "datakey_length": "9"}),
            "KMS.1903",
        ),
        ("encrypt-datakey", wrapped("xyz".into(), "32"), "KMS.2101"),
        ("encrypt-datakey", wrapped("0".into(), "32"), "KMS.2101"),
        ("encrypt-datakey", wrapped("00".repeat(32), "0"), "KMS.2102"),
        (
            "encrypt-datakey",
            wrapped("00".repeat(1057), "1025"),
            "KMS.2102",
        ),
        (
            "encrypt-datakey",
            wrapped(format!("{dek}{}", "00".repeat(32)), "32"),
            "KMS.2103",
        ),
        (
            "encrypt-datakey",
            wrapped(format!("{dek}{digest}"), "31"),
            "KMS.2104",
        ),
        (
            "encrypt-datakey",
            wrapped(format!("{dek}{digest}"), "64"),
            "KMS.2104",
        ),
        ("gen-random", json!({"random_data_length": "0"}), "KMS.1801"),
        (
            "gen-random",
            json!({"random_data_length": "8200"}),
            "KMS.1801",
        ),
        ("gen-random", json!({"random_data_length": "x"}), "KMS.1801"),
        (
            "gen-random",
            json!({"random_data_length": "12"}),
            "KMS.1802",
        ),
        ("list-keys", json!({"limit": "0"}), "KMS.1601"),
        ("list-keys", json!({"limit": "1001"}), "KMS.1601"),
        ("list-keys", json!({"marker": "1"}), "KMS.1602"),
        ("list-keys", json!({"key_state": "9"}), "KMS.0308"),
    ] {
        let reply = bed.call(operation, &body).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, code.to_owned()),
            "{operation} {body}"
        );
    }
}

#[tokio::test]
async fn refuses_a_ciphertext_over_7200_characters() {
    let bed = Bed::start().await;
    let mut blob = base64_simd::STANDARD
        .decode_to_vec(bed.encrypt("x").await)
        .unwrap();
    blob.resize(5403, 0);
    let cipher_text = base64_simd::STANDARD.encode_to_string(&blob);
    assert_eq!(cipher_text.len(), 7204);
    let reply = bed
        .call("decrypt-data", &json!({"cipher_text": cipher_text}))
        .await;
    reply.refused(400, "KMS.0308").says("7200");
    let cipher_text = base64_simd::STANDARD.encode_to_string(&blob[..5400]);
    let reply = bed
        .call("decrypt-data", &json!({"cipher_text": cipher_text}))
        .await;
    reply.refused(400, "KMS.2201");
}

#[tokio::test]
async fn refuses_decrypt_datakey_with_another_length() {
    let bed = Bed::start().await;
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    for (length, code) in [
        ("31", "KMS.2204"),
        ("1024", "KMS.2204"),
        ("0", "KMS.2202"),
        ("1025", "KMS.2202"),
        ("032", "KMS.2202"),
        ("32 ", "KMS.2202"),
        ("", "KMS.2202"),
    ] {
        let body = json!({
            "key_id": bed.key,
            "cipher_text": made.text("cipher_text"),
            "datakey_cipher_length": length,
        });
        bed.call("decrypt-datakey", &body).await.refused(400, code);
    }
}

#[tokio::test]
async fn refuses_unknown_and_malformed_keys() {
    let bed = Bed::start().await;
    let absent = "00000000-0000-0000-0000-000000000000";
    for (key_id, named) in [
        (absent, absent),
        ("alias/none", "alias/shop/none"),
        ("alias/other/web", "alias/other/web"),
    ] {
        let body = json!({"key_id": key_id, "plain_text": "x"});
        bed.call("encrypt-data", &body)
            .await
            .refused(404, "KMS.0207")
            .says(named);
    }
    let upper = bed.key.to_string().to_uppercase();
    for key_id in [
        "",
        "web",
        "alias/",
        "alias//web",
        "alias/a/b/c",
        "alias/Web",
        "../x",
        &upper,
    ] {
        let body = json!({"key_id": key_id, "plain_text": "x"});
        bed.call("encrypt-data", &body)
            .await
            .refused(400, "KMS.0205");
    }
}

#[tokio::test]
async fn refuses_disabled_pending_and_destroyed_keys() {
    let bed = Bed::start().await;
    let bodies = rights(&bed).await;
    let at = "2026-12-24T00:00:00Z".parse().unwrap();
    for (state, status, code, text) in [
        (CmkState::Disabled, 400, "KMS.0209", "disabled"),
        (
            CmkState::PendingDeletion { destroy_at: at },
            400,
            "KMS.0210",
            "2026-12-24T00:00:00Z",
        ),
        (
            CmkState::Destroyed { at },
            404,
            "KMS.0207",
            "was destroyed on 2026-12-24T00:00:00Z",
        ),
    ] {
        bed.source.set_state(bed.key, state);
        bed.settle().await;
        for (operation, body) in &bodies {
            if matches!(*operation, "describe-key" | "gen-random") {
                continue;
            }
            bed.call(operation, body)
                .await
                .refused(status, code)
                .says(text);
        }
    }
    bed.call("describe-key", &json!({"key_id": bed.key}))
        .await
        .refused(404, "KMS.0207");
}

#[tokio::test]
async fn the_state_of_a_key_comes_before_the_size_of_a_field() {
    let bed = Bed::start().await;
    let body = json!({"key_id": "alias/none", "plain_text": ""});
    bed.call("encrypt-data", &body)
        .await
        .refused(404, "KMS.0207");
    bed.source.set_state(bed.key, CmkState::Disabled);
    bed.settle().await;
    let body = json!({"key_id": bed.key, "plain_text": ""});
    bed.call("encrypt-data", &body)
        .await
        .refused(400, "KMS.0209");
}

#[tokio::test]
async fn refuses_heads_that_are_too_long_or_none() {
    let bed = Bed::start().await;
    let long = "x".repeat(17_000);
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n");
    assert_eq!(bed.send(head.as_bytes()).await.status, 431);
    let many = "x-one: y\r\n".repeat(65);
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n");
    assert_eq!(bed.send(head.as_bytes()).await.status, 431);
    for junk in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(junk.as_bytes()).await.unwrap();
        let reply = Reply::try_read(&mut stream).await;
        assert!(reply.is_none_or(|reply| reply.status == 400), "{junk:?}");
    }
    assert_eq!(bed.post("gen-random", BODY).await.status, 200);
}
