//! Requests as bytes.

use std::net::SocketAddr;

use hex_simd::AsciiCase;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Any will do: the endpoint takes project ids as they come.
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const USER_AGENT: &str = "sealward-bench";
const CONTENT_TYPE: &str = "application/json;charset=utf-8";
/// What the SDKs sign.
const SIGNED_HEADERS: &str = "content-type;host;user-agent;x-project-id;x-sdk-date";

/// What a request needs besides its credential.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) operation: &'a str,
    /// JSON.
    pub(crate) body: &'a str,
}

impl Call<'_> {
    /// With the token in a header.
    pub(crate) fn with_token(self, token: &str) -> Vec<u8> {
        self.with_headers(&format!("X-Auth-Token: {token}\r\n"))
    }

    /// Signed with the token as the official SDKs do.
    pub(crate) fn signed(self, token: &str, now: Timestamp) -> Vec<u8> {
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let canonical = format!(
            "POST\n{}/\n\ncontent-type:{CONTENT_TYPE}\nhost:{}\nuser-agent:{USER_AGENT}\n\
             x-project-id:{PROJECT}\nx-sdk-date:{date}\n\n{SIGNED_HEADERS}\n{}",
            self.path(),
            self.address,
            sha256(self.body),
        );
        let to_sign = format!("SDK-HMAC-SHA256\n{date}\n{}", sha256(&canonical));
        let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(to_sign.as_bytes());
        let signature = hex_simd::encode_to_string(mac.finalize().into_bytes(), AsciiCase::Lower);
        self.with_headers(&format!(
            "X-Project-Id: {PROJECT}\r\nX-Sdk-Date: {date}\r\nAuthorization: SDK-HMAC-SHA256 \
             Access=bench, SignedHeaders={SIGNED_HEADERS}, Signature={signature}\r\n"
        ))
    }

    fn with_headers(self, headers: &str) -> Vec<u8> {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n\
             Content-Type: {CONTENT_TYPE}\r\n{headers}Content-Length: {}\r\n\r\n{}",
            self.path(),
            self.address,
            self.body.len(),
            self.body
        )
        .into_bytes()
    }

    fn path(self) -> String {
        format!("/v1.0/{PROJECT}/kms/{}", self.operation)
    }
}

fn sha256(text: &str) -> String {
    hex_simd::encode_to_string(Sha256::digest(text), AsciiCase::Lower)
}
