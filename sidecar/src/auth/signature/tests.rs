use hyper::Request;
use sealward_core::SecretBytes;

use super::*;

/// What Huawei's SDK for Python (huaweicloudsdkcore 3.1.219) sent, and the SK with
/// which it signed.
const SK: &[u8] = b"test";
const BODY: &[u8] = br#"{"key_id": "6fb156d6-d350-4c92-96f1-337bceea4310", "plain_text": "12345678", "additional_authenticated_data": "tenant=a"}"#;
const AUTHORIZATION: &str = "SDK-HMAC-SHA256 Access=test, \
    SignedHeaders=content-type;host;user-agent;x-project-id;x-sdk-date, \
    Signature=65dc706916a545893fa532a061711c3cebcdad3afd15747e6b00e079c676cf76";

fn recorded() -> Parts {
    Request::post("/v1.0/0123456789abcdef0123456789abcdef/kms/encrypt-data")
        .header(
            "user-agent",
            "huaweicloud-usdk-python/3.0; os/Linux##1_SMP_PREEMPT_DYNAMIC_@0#x86_64 \
             python/3.11.7 impl/CPython; app/7877326b-eb8b-412c-a9ab-6f3366e1133e",
        )
        .header("content-type", "application/json;charset=utf-8")
        .header("x-project-id", "0123456789abcdef0123456789abcdef")
        .header("x-sdk-date", "20261124T011405Z")
        .header("host", "127.0.0.1:37071")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn token() -> CallerToken {
    CallerToken::new(SecretBytes::from_slice(SK))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(
        "2026-11-24T01:14:05Z"
            .parse::<Timestamp>()
            .unwrap()
            .as_second()
            + seconds,
    )
    .unwrap()
}

#[test]
fn takes_what_the_sdk_sent() {
    let signature = Signature::parse(AUTHORIZATION.as_bytes()).unwrap();
    let parts = recorded();
    signature.check_scope(&parts.headers, at(0)).unwrap();
    signature.check(&parts, BODY, &token()).unwrap();
}

#[test]
fn every_part_is_signed() {
    let signature = Signature::parse(AUTHORIZATION.as_bytes()).unwrap();
    let refused = |parts: &Parts, body: &[u8], token: &CallerToken| {
        assert_eq!(signature.check(parts, body, token), Err(bad_credential()));
    };
    refused(&recorded(), b"{}", &token());
    refused(&recorded(), b"", &token());
    refused(
        &recorded(),
        BODY,
        &CallerToken::new(SecretBytes::from_slice(b"other")),
    );
    let mut parts = recorded();
    parts.method = hyper::Method::PUT;
    refused(&parts, BODY, &token());
    let mut parts = recorded();
    parts.uri = "/v1.0/0123456789abcdef0123456789abcdef/kms/decrypt-data"
        .parse()
        .unwrap();
    refused(&parts, BODY, &token());
    let mut parts = recorded();
    parts.uri = format!("{}?a=b", parts.uri.path()).parse().unwrap();
    refused(&parts, BODY, &token());
    for name in [
        "content-type",
        "host",
        "user-agent",
        "x-project-id",
        "x-sdk-date",
    ] {
        let mut parts = recorded();
        parts
            .headers
            .insert(name, HeaderValue::from_static("20261124T011406Z"));
        refused(&parts, BODY, &token());
        parts.headers.remove(name);
        refused(&parts, BODY, &token());
    }
    let mut parts = recorded();
    parts
        .headers
        .append("host", HeaderValue::from_static("127.0.0.1:37071"));
    refused(&parts, BODY, &token());
}

#[test]
fn refuses_a_signature_five_minutes_away() {
    let signature = Signature::parse(AUTHORIZATION.as_bytes()).unwrap();
    let headers = recorded().headers;
    for fresh in [0, 300, -300] {
        signature.check_scope(&headers, at(fresh)).unwrap();
    }
    for old in [301, -301, 86_400] {
        let error = signature.check_scope(&headers, at(old)).unwrap_err();
        assert_eq!(error.code(), Code::OldSignature, "{old}");
    }
}

#[test]
fn refuses_dates_that_are_none() {
    let signature = Signature::parse(AUTHORIZATION.as_bytes()).unwrap();
    for date in [
        "",
        "20261124",
        "20261324T011405Z",
        "2026-11-24T01:14",
        "20261124T011405+",
        "+0261124T011405Z",
    ] {
        let mut headers = recorded().headers;
        headers.insert("x-sdk-date", HeaderValue::from_static(date));
        let error = signature.check_scope(&headers, at(0)).unwrap_err();
        assert_eq!(error.code(), Code::BadCredential, "{date}");
    }
}

#[test]
fn refuses_a_signature_without_date() {
    for headers in ["host", "content-type;host", "", "hosts;x-sdk-dates"] {
        let text = format!(
            "{ALGORITHM} Access=a, SignedHeaders={headers}, Signature={}",
            "0".repeat(64)
        );
        let signature = Signature::parse(text.as_bytes()).unwrap();
        let error = signature
            .check_scope(&recorded().headers, at(0))
            .unwrap_err();
        assert_eq!(
            error.message(),
            "SignedHeaders must hold x-sdk-date",
            "{headers}"
        );
    }
}

#[test]
fn refuses_other_algorithms_by_name() {
    for other in [
        "V11-HMAC-SHA256 Credential=a/20261124/cn-north-4/kms, SignedHeaders=host, Signature=00",
        "SDK-HMAC-SM3 Access=a, SignedHeaders=host;x-sdk-date, Signature=00",
        "SDK-HMAC-SHA2567 Access=a",
    ] {
        let error = Signature::parse(other.as_bytes()).unwrap_err();
        assert!(
            error.message().contains("V11-HMAC-SHA256"),
            "{other}: {error}"
        );
    }
}

#[test]
fn refuses_what_is_not_a_signature() {
    let zeros = "0".repeat(64);
    for parameters in [
        String::new(),
        "Access=a".into(),
        format!("Access=a, SignedHeaders=host, Signature={}", &zeros[1..]),
        format!("Access=a, SignedHeaders=host, Signature={}g", &zeros[1..]),
        format!("Access=a, SignedHeaders=host, Signature={zeros}, Signature={zeros}"),
        format!("Access=a, SignedHeaders=host, Signature={zeros}, Other=1"),
        format!("SignedHeaders=host, Signature={zeros}"),
    ] {
        let error = Signature::parse(format!("{ALGORITHM} {parameters}").as_bytes()).unwrap_err();
        assert_eq!(error.code(), Code::BadCredential, "{parameters}");
    }
}

#[test]
fn paths_and_queries_have_one_spelling() {
    for (path, canonical) in [
        ("/", "/"),
        ("/a", "/a/"),
        ("/a/", "/a/"),
        ("/%7Bproject_id%7D/x", "/%7Bproject_id%7D/x/"),
        ("/{project_id}/x", "/%7Bproject_id%7D/x/"),
        ("/team-a%2Fprod/x", "/team-a/prod/x/"),
        ("/a~b%7Ec%", "/a~b~c%25/"),
    ] {
        assert_eq!(canonical_path(path), canonical.as_bytes(), "{path}");
    }
    for (query, canonical) in [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=%2F&a=!", "a=%21&a=%2F"),
        ("k", "k="),
    ] {
        assert_eq!(canonical_query(query), canonical.as_bytes(), "{query}");
    }
}
