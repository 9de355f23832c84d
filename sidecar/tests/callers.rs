//! Callers that are not let in: without the token, or through somebody else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{Bed, NOW, Reply, TOKEN, raw, request};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

const BODY: &[u8] = b"{\"random_data_length\":\"8\"}";

fn hex(bytes: &[u8]) -> String {
    hex_simd::encode_to_string(bytes, hex_simd::AsciiCase::Lower)
}

/// Signs as Huawei's SDKs do.
fn signed(
    date: &str,
    signed_headers: &str,
    signed_body: &[u8],
    key: &str,
) -> Vec<(String, String)> {
    let host = "127.0.0.1:7325";
    let mut canonical = String::from("POST\n/v1.0/project/kms/gen-random/\n\n");
    for name in signed_headers.split(';') {
        let value = if name == "host" { host } else { date };
        canonical.extend([name, ":", value, "\n"]);
    }
    canonical.extend([
        "\n",
        signed_headers,
        "\n",
        &hex(&Sha256::digest(signed_body)),
    ]);
    let to_sign = format!(
        "SDK-HMAC-SHA256\n{date}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(to_sign.as_bytes());
    let signature = hex(&mac.finalize().into_bytes());
    let authorization = format!(
        "SDK-HMAC-SHA256 Access=any, SignedHeaders={signed_headers}, Signature={signature}"
    );
    vec![
        ("x-sdk-date".into(), date.into()),
        ("authorization".into(), authorization),
    ]
}

async fn send_signed(bed: &Bed, headers: &[(String, String)], body: &[u8]) -> Reply {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    bed.send(&request("gen-random", &headers, body)).await
}

const DATE: &str = "20261124T011405Z";
const SIGNED: &str = "host;x-sdk-date";

#[tokio::test]
async fn accepts_a_signature_with_the_token_as_secret_key() {
    let bed = Bed::start().await;
    assert!(NOW.starts_with("2026-11-24T01:14:05"));
    let reply = send_signed(&bed, &signed(DATE, SIGNED, BODY, TOKEN), BODY).await;
    assert_eq!(reply.status, 200, "{}", reply.message());
}

#[tokio::test]
async fn refuses_a_signature_over_another_body() {
    let bed = Bed::start().await;
    let mut headers = signed(DATE, SIGNED, b"{}", TOKEN);
    send_signed(&bed, &headers, BODY)
        .await
        .refused(403, "KMS.0302");
    // The header by which an SDK says what it hashed does not replace the body.
    headers.push(("x-sdk-content-sha256".into(), hex(&Sha256::digest(b"{}"))));
    send_signed(&bed, &headers, BODY)
        .await
        .refused(403, "KMS.0302");
    let unsigned = signed(DATE, SIGNED, b"UNSIGNED-PAYLOAD", TOKEN);
    send_signed(&bed, &unsigned, BODY)
        .await
        .refused(403, "KMS.0302");
}

#[tokio::test]
async fn refuses_a_signature_that_is_too_old_or_from_the_future() {
    let bed = Bed::start().await;
    for date in ["20261124T010904Z", "20261124T011906Z", "20251124T011405Z"] {
        let headers = signed(date, SIGNED, BODY, TOKEN);
        send_signed(&bed, &headers, BODY)
            .await
            .refused(403, "KMS.0303")
            .says("5 minutes");
    }
    for date in ["20261124T010905Z", "20261124T011905Z"] {
        let headers = signed(date, SIGNED, BODY, TOKEN);
        assert_eq!(
            send_signed(&bed, &headers, BODY).await.status,
            200,
            "{date}"
        );
    }
}

#[tokio::test]
async fn refuses_a_signature_without_date() {
    let bed = Bed::start().await;
    let headers = signed(DATE, "host", BODY, TOKEN);
    send_signed(&bed, &headers, BODY)
        .await
        .refused(403, "KMS.0302")
        .says("x-sdk-date");
    // As Go's SDK signs, and so sops: without the host.
    let headers = signed(DATE, "x-sdk-date", BODY, TOKEN);
    assert_eq!(send_signed(&bed, &headers, BODY).await.status, 200);
}

#[tokio::test]
async fn refuses_other_algorithms_with_a_hint() {
    let bed = Bed::start().await;
    let authorization =
        "V11-HMAC-SHA256 Credential=a/20261124/r/kms, SignedHeaders=host, Signature=00";
    bed.send(&request(
        "gen-random",
        &[("authorization", authorization)],
        BODY,
    ))
    .await
    .refused(403, "KMS.0302")
    .says("V11-HMAC-SHA256");
}

#[tokio::test]
async fn refuses_a_missing_token() {
    let bed = Bed::start().await;
    bed.send(&request("gen-random", &[], BODY))
        .await
        .refused(403, "KMS.0301")
        .says("token file");
}

#[tokio::test]
async fn refuses_a_wrong_token_and_a_wrong_signature_alike() {
    let bed = Bed::start().await;
    let mut bodies = Vec::new();
    let mut wrong = TOKEN.to_owned();
    wrong.replace_range(63..64, "1");
    let bearer = format!("Bearer {wrong}");
    for headers in [
        [("x-auth-token", wrong.as_str())],
        [("x-auth-token", "")],
        [("x-auth-token", &TOKEN[..63])],
        [("authorization", bearer.as_str())],
    ] {
        let reply = bed.send(&request("gen-random", &headers, BODY)).await;
        bodies.push(reply.refused(403, "KMS.0302").body.clone());
    }
    let reply = send_signed(&bed, &signed(DATE, SIGNED, BODY, &wrong), BODY).await;
    bodies.push(reply.refused(403, "KMS.0302").body.clone());
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[tokio::test]
async fn refuses_a_token_in_the_wrong_place() {
    let bed = Bed::start().await;
    let cookie = format!("X-Auth-Token={TOKEN}");
    bed.send(&request("gen-random", &[("cookie", &cookie)], BODY))
        .await
        .refused(403, "KMS.0301");
    let operation = format!("gen-random?X-Auth-Token={TOKEN}&token={TOKEN}");
    bed.send(&request(&operation, &[], BODY))
        .await
        .refused(403, "KMS.0301");
    let body = json!({"random_data_length": "8", "token": TOKEN}).to_string();
    bed.send(&request("gen-random", &[], body.as_bytes()))
        .await
        .refused(403, "KMS.0301");
    bed.send(&request("gen-random", &[("x-security-token", TOKEN)], BODY))
        .await
        .refused(403, "KMS.0301");
}

#[tokio::test]
async fn refuses_more_than_one_credential() {
    let bed = Bed::start().await;
    let bearer = format!("Bearer {TOKEN}");
    for headers in [
        [("x-auth-token", TOKEN), ("authorization", bearer.as_str())],
        [("x-auth-token", TOKEN), ("x-auth-token", TOKEN)],
    ] {
        bed.send(&request("gen-random", &headers, BODY))
            .await
            .refused(403, "KMS.0302");
    }
}

#[tokio::test]
async fn refuses_host_evil_test() {
    let bed = Bed::start().await;
    let target = "/v1.0/project/kms/gen-random";
    for host in [
        "evil.test",
        "evil.test:7325",
        "localhost.evil.test",
        "10.0.0.1",
    ] {
        let headers = [("host", host), ("x-auth-token", TOKEN)];
        bed.send(&raw("POST", target, &headers, BODY))
            .await
            .refused(403, "KMS.0307")
            .says("Host");
    }
    let none = [("x-auth-token", TOKEN)];
    bed.send(&raw("POST", target, &none, BODY))
        .await
        .refused(403, "KMS.0307");
    let absolute = format!("http://evil.test{target}");
    let headers = [("host", "localhost"), ("x-auth-token", TOKEN)];
    bed.send(&raw("POST", &absolute, &headers, BODY))
        .await
        .refused(403, "KMS.0307");
}

#[tokio::test]
async fn refuses_origin() {
    let bed = Bed::start().await;
    let headers = [("x-auth-token", TOKEN), ("origin", "http://localhost")];
    bed.send(&request("gen-random", &headers, BODY))
        .await
        .refused(403, "KMS.0307")
        .says("Origin");
}

#[tokio::test]
async fn refuses_forwarded_requests() {
    let bed = Bed::start().await;
    for name in [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded",
        "Via",
    ] {
        let headers = [("x-auth-token", TOKEN), (name, "1.1 a")];
        bed.send(&request("gen-random", &headers, BODY))
            .await
            .refused(403, "KMS.0307");
    }
}

#[tokio::test]
async fn the_order_of_checks_is_host_then_token_then_route() {
    let bed = Bed::start().await;
    let headers = [("host", "evil.test"), ("x-auth-token", "wrong")];
    bed.send(&raw("GET", "/nothing", &headers, b""))
        .await
        .refused(403, "KMS.0307");
    let headers = [("host", "localhost"), ("x-auth-token", "wrong")];
    for target in [
        "/nothing",
        "/v1.0/p/kms/create-key",
        "/v1.0/p/kms/decrypt-data",
        "/",
    ] {
        bed.send(&raw("GET", target, &headers, b""))
            .await
            .refused(403, "KMS.0302");
    }
}

#[tokio::test]
async fn refuses_other_methods_and_unknown_operations() {
    let bed = Bed::start().await;
    let headers = [("host", "localhost"), ("x-auth-token", TOKEN)];
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = bed
            .send(&raw(method, "/v1.0/p/kms/gen-random", &headers, b""))
            .await;
        assert_eq!(reply.refused(405, "KMS.0215").header("allow"), Some("POST"));
    }
    let reply = bed.send(&raw("POST", "/", &headers, b"")).await;
    assert_eq!(reply.refused(405, "KMS.0215").header("allow"), Some("GET"));
    for target in [
        "/v1.0/p/kms/decrypt",
        "/v1.0/p/kms/",
        "/x",
        "/v1/p/kms/gen-random",
    ] {
        bed.send(&raw("POST", target, &headers, BODY))
            .await
            .refused(400, "KMS.0201");
    }
    bed.post("gen-random?a=b", BODY)
        .await
        .refused(400, "KMS.0201")
        .says("query");
}
