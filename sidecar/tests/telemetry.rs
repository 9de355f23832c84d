//! What is written about requests: audit lines, metrics, readiness.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Bed, TOKEN, raw, request};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn admin(bed: &Bed, path: &str) -> String {
    let mut stream = TcpStream::connect(bed.admin).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn every_use_leaves_one_line_also_a_refused_one() {
    let bed = Bed::start().await;
    let key = bed.key.to_string();
    let sealed = bed
        .call("encrypt-data", &json!({
            "key_id": "alias/web", "plain_text": "x", "additional_authenticated_data": "tenant=a",
        }))
        .await
        .text("cipher_text");
    bed.call(
        "decrypt-data",
        &json!({
            "cipher_text": sealed, "additional_authenticated_data": "tenant=a",
        }),
    )
    .await;
    let wrong = bed
        .call("decrypt-data", &json!({"cipher_text": sealed}))
        .await;
    bed.call("decrypt-data", &json!({"cipher_text": "!"})).await;
    bed.send(&request("decrypt-data", &[], b"{}")).await;
    bed.send(&raw(
        "POST",
        "/v1.0/p/kms/create-key",
        &[("host", "localhost"), ("x-auth-token", TOKEN)],
        b"",
    ))
    .await;
    bed.send(&raw("POST", "/", &[("host", "evil.test")], b""))
        .await;

    let lines = bed.stop().await;
    let column = |name: &str| -> Vec<_> {
        lines
            .iter()
            .map(|line| line[name].as_str().unwrap_or("-").to_owned())
            .collect()
    };
    assert_eq!(
        column("result"),
        [
            "OK", "OK", "KMS.2201", "KMS.2201", "KMS.0301", "KMS.0306", "KMS.0307"
        ]
    );
    assert_eq!(
        column("operation"),
        [
            "encrypt-data",
            "decrypt-data",
            "decrypt-data",
            "decrypt-data",
            "-",
            "-",
            "-"
        ]
    );
    assert_eq!(column("keyId")[..4], [key.as_str(), &key, &key, "-"]);
    assert!(lines[..3].iter().all(|line| line["keyVersion"] == 1));
    // The same context has the same hash, so that uses can be matched.
    assert_eq!(lines[0]["contextHash"], lines[1]["contextHash"]);
    assert_eq!(lines[0]["contextHash"].as_str().unwrap().len(), 64);
    assert!(
        lines[2].get("contextHash").is_none(),
        "there was no context"
    );
    assert_eq!(lines[2]["requestId"], wrong.header("x-request-id").unwrap());
    assert!(lines.iter().all(|line| line["pod"] == "web-0"
        && line["namespace"] == "shop"
        && line["serviceAccount"] == "web"
        && line["durationMicros"].is_u64()
        && line["time"] == "2026-11-24T01:14:05.000000Z"));
}

#[tokio::test]
async fn the_end_waits_for_audit_lines_to_be_written() {
    let bed = Bed::start().await;
    bed.audit.slow_down();
    bed.encrypt("x").await;
    assert_eq!(bed.stop().await.len(), 1);
}

#[tokio::test]
async fn re_encrypt_names_both_keys() {
    let bed = Bed::start().await;
    let other = bed.source.create("shop/other".parse().unwrap());
    let sealed = bed.encrypt("x").await;
    let key = bed.key.to_string();
    let body = json!({"cipher_text": sealed, "destination_key_id": other});
    assert_eq!(bed.call("re-encrypt", &body).await.status, 200);
    let lines = bed.stop().await;
    assert_eq!(lines[1]["keyId"], other.to_string());
    assert_eq!(lines[1]["sourceKeyId"], key);
    assert_eq!(
        (&lines[1]["keyVersion"], &lines[1]["sourceKeyVersion"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn no_secret_is_in_an_audit_line() {
    let bed = Bed::start().await;
    let sealed = bed
        .call(
            "encrypt-data",
            &json!({
                "key_id": bed.key, "plain_text": "hunter2hunter2",
                "encryption_context": {"customer": "4711-0815"},
            }),
        )
        .await
        .text("cipher_text");
    let made = bed
        .call("create-datakey", &json!({"key_id": bed.key}))
        .await;
    bed.call("decrypt-data", &json!({"cipher_text": sealed}))
        .await;
    let cookie = format!("t={TOKEN}");
    bed.send(&request(
        &format!("gen-random?t={TOKEN}"),
        &[("cookie", &cookie)],
        b"{}",
    ))
    .await;
    bed.post(&format!("{TOKEN}?{TOKEN}"), TOKEN.as_bytes())
        .await;
    let (shelf, _) = (bed.audit.clone(), bed.stop().await);
    let text = shelf.text();
    for secret in [
        "hunter2",
        TOKEN,
        &sealed[..40],
        "4711-0815",
        "customer",
        &made.text("plain_text"),
        &made.text("cipher_text"),
    ] {
        assert!(
            !text.to_lowercase().contains(&secret.to_lowercase()),
            "{secret} in {text}"
        );
    }
}

#[tokio::test]
async fn metrics_and_health_are_on_the_admin_port() {
    let bed = Bed::start().await;
    let sealed = bed.encrypt("x").await;
    bed.call("decrypt-data", &json!({"cipher_text": sealed}))
        .await;
    bed.call("decrypt-data", &json!({"cipher_text": "!"})).await;
    let metrics = admin(&bed, "/metrics").await;
    for line in [
        "sealward_requests_total{operation=\"decrypt-data\",code=\"OK\"} 1",
        "sealward_requests_total{operation=\"decrypt-data\",code=\"KMS.2201\"} 1",
        "sealward_request_duration_seconds_count{operation=\"decrypt-data\"} 2",
        "sealward_keys_loaded 1",
        "sealward_audit_dropped_total 0",
        "sealward_connections ",
        "sealward_connections_refused_total 0",
        "sealward_connections_timed_out_total 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains(TOKEN));
    assert!(admin(&bed, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(admin(&bed, "/readyz").await.starts_with("HTTP/1.1 200"));
    // The endpoint itself is not there, nor is health on the endpoint.
    assert!(
        admin(&bed, "/v1.0/p/kms/gen-random")
            .await
            .starts_with("HTTP/1.1 404")
    );
    let headers = [("host", "localhost"), ("x-auth-token", TOKEN)];
    bed.send(&raw("GET", "/metrics", &headers, b""))
        .await
        .refused(400, "KMS.0201");
}

#[tokio::test]
async fn health_is_not_ready_when_keys_are_stale() {
    let bed = Bed::start().await;
    bed.clock.advance(std::time::Duration::from_hours(25));
    // Somebody has to look.
    bed.source.update(bed.key, |_| {});
    bed.settle().await;
    let answer = admin(&bed, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.contains("keys: not ready: keys are older than 86400 s"),
        "{answer}"
    );
    let body = json!({"key_id": bed.key, "plain_text": "x"});
    bed.call("encrypt-data", &body)
        .await
        .refused(503, "KMS.0104")
        .says("86400");
}
