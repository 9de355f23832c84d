//! Whether the caller can read the token file.
//!
//! It shows so with the token itself, or with the signature that Huawei's SDKs
//! make, for which the token is the secret key (SK). The access key (AK) says
//! nothing and is not looked at.

mod signature;
mod token;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName};

pub(crate) use signature::Signature;
pub use token::{CallerToken, TokenError};

use crate::error::{ApiError, Code};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// What a request shows to be let in.
pub(crate) enum Credential<'a> {
    /// The token, or what is meant to be it.
    Token(&'a [u8]),
    /// A signature over the request, body included.
    Signature(Signature<'a>),
}

/// Finds the one credential of a request. Only headers count: a token in the
/// query, a cookie or the body ends up in logs and is none.
///
/// # Errors
/// KMS.0301 where there is none, KMS.0302 where there are several, or one of
/// another kind.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Credential<'_>, ApiError> {
    let mut tokens = headers.get_all(X_AUTH_TOKEN).iter();
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let found = (tokens.next(), authorizations.next());
    if tokens.next().is_some() || authorizations.next().is_some() {
        return Err(several());
    }
    match found {
        (None, None) => Err(ApiError::new(
            Code::NoCredential,
            "no credential: send the content of the token file as X-Auth-Token, or as \
             Authorization: Bearer, or sign with it as secret key (SK)",
        )),
        (Some(_), Some(_)) => Err(several()),
        (Some(token), None) => Ok(Credential::Token(token.as_bytes())),
        (None, Some(value)) => {
            let value = value.as_bytes();
            if let Some(token) = strip_scheme(value, b"bearer ") {
                return Ok(Credential::Token(token));
            }
            Signature::parse(value).map(Credential::Signature)
        }
    }
}

/// The one answer to a wrong token and to a wrong signature.
fn bad_credential() -> ApiError {
    ApiError::new(
        Code::BadCredential,
        "the token, or the secret key (SK) of the signature, is not the content of this \
         endpoint's token file",
    )
}

fn several() -> ApiError {
    ApiError::new(
        Code::BadCredential,
        "more than one credential: send X-Auth-Token or Authorization, once",
    )
}

/// Schemes compare without regard to case (RFC 9110, section 11.1).
fn strip_scheme<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn find(headers: &[(&'static str, &'static str)]) -> Result<&'static str, Code> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        match credential(&map) {
            Ok(Credential::Token(b"tok")) => Ok("token"),
            Ok(Credential::Token(_)) => Ok("another token"),
            Ok(Credential::Signature(_)) => Ok("signature"),
            Err(error) => Err(error.code()),
        }
    }

    const SIGNED: &str = "SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=\
        0000000000000000000000000000000000000000000000000000000000000000";

    #[test]
    fn takes_one_credential_in_its_place() {
        assert_eq!(find(&[("x-auth-token", "tok")]), Ok("token"));
        assert_eq!(find(&[("authorization", "Bearer tok")]), Ok("token"));
        assert_eq!(find(&[("authorization", "bearer tok")]), Ok("token"));
        assert_eq!(find(&[("authorization", SIGNED)]), Ok("signature"));
    }

    #[test]
    fn refuses_none_several_and_others() {
        assert_eq!(find(&[]), Err(Code::NoCredential));
        assert_eq!(
            find(&[("cookie", "X-Auth-Token=tok")]),
            Err(Code::NoCredential)
        );
        for two in [
            [("x-auth-token", "tok"), ("x-auth-token", "tok")],
            [
                ("authorization", "Bearer tok"),
                ("authorization", "Bearer tok"),
            ],
            [("x-auth-token", "tok"), ("authorization", "Bearer tok")],
            [("x-auth-token", "tok"), ("authorization", SIGNED)],
        ] {
            assert_eq!(find(&two), Err(Code::BadCredential), "{two:?}");
        }
        for other in ["Basic dG9r", "tok", "", "Bearer", "Digest a=b"] {
            assert_eq!(
                find(&[("authorization", other)]),
                Err(Code::BadCredential),
                "{other}"
            );
        }
    }
}
