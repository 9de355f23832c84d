//! What a caller can be told, and with which status: one table.

use std::borrow::Cow;

use hyper::StatusCode;

/// The codes of the API that this endpoint uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// Something failed in here.
    Internal,
    /// A key cannot be had at the moment, or there are too many connections.
    Unavailable,
    /// No such operation.
    UnknownOperation,
    /// The body is not JSON.
    NotJson,
    /// The body is too long.
    TooLong,
    /// A field that must be there is not.
    MissingField,
    /// `key_id` is neither a UUID nor an alias.
    MalformedKeyId,
    /// `sequence` is not 36 characters.
    BadSequence,
    /// No such key, or not one for this caller.
    UnknownKey,
    /// `encryption_context` is not an object of strings, or too long.
    BadContext,
    /// The key is disabled.
    Disabled,
    /// The key is pending deletion.
    PendingDeletion,
    /// The method is not the operation's.
    Method,
    /// No credential.
    NoCredential,
    /// A wrong credential.
    BadCredential,
    /// A signature made too long ago.
    OldSignature,
    /// Done elsewhere.
    Elsewhere,
    /// Not from a process beside us, or not for us.
    Foreign,
    /// A field has a value or a type that it cannot have.
    BadField,
    /// `limit` of list-keys.
    BadLimit,
    /// `marker` of list-keys.
    BadMarker,
    /// `random_data_length` is out of range.
    RandomLength,
    /// `random_data_length` is not a multiple of 8.
    RandomLengthBits,
    /// `datakey_length` is out of range.
    DatakeyLength,
    /// `key_spec` of a data key.
    DatakeySpec,
    /// `datakey_length` is not a multiple of 8.
    DatakeyLengthBits,
    /// `plain_text` of encrypt-datakey is not hex.
    DatakeyPlaintext,
    /// `plain_text` of encrypt-datakey has an impossible length.
    DatakeyPlaintextLength,
    /// The digest in `plain_text` of encrypt-datakey is not that of the DEK.
    DatakeyDigest,
    /// `datakey_plain_length` is not the length of the DEK.
    DatakeyLengthDiffers,
    /// A ciphertext that does not open, whatever the reason.
    BadCiphertext,
    /// `datakey_cipher_length` is out of range.
    DatakeyCipherLength,
    /// `datakey_cipher_length` is not the length of the DEK in the ciphertext.
    DatakeyCipherLengthDiffers,
}

impl Code {
    /// HTTP status and the code's text.
    pub const fn row(self) -> (StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
        match self {
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "KMS.0101"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "KMS.0104"),
            Self::UnknownOperation => (BAD, "KMS.0201"),
            Self::NotJson => (BAD, "KMS.0202"),
            Self::TooLong => (BAD, "KMS.0203"),
            Self::MissingField => (BAD, "KMS.0204"),
            Self::MalformedKeyId => (BAD, "KMS.0205"),
            Self::BadSequence => (BAD, "KMS.0206"),
            Self::UnknownKey => (StatusCode::NOT_FOUND, "KMS.0207"),
            Self::BadContext => (BAD, "KMS.0208"),
            Self::Disabled => (BAD, "KMS.0209"),
            Self::PendingDeletion => (BAD, "KMS.0210"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "KMS.0215"),
            Self::NoCredential => (FORBIDDEN, "KMS.0301"),
            Self::BadCredential => (FORBIDDEN, "KMS.0302"),
            Self::OldSignature => (FORBIDDEN, "KMS.0303"),
            Self::Elsewhere => (FORBIDDEN, "KMS.0306"),
            Self::Foreign => (FORBIDDEN, "KMS.0307"),
            Self::BadField => (BAD, "KMS.0308"),
            Self::BadLimit => (BAD, "KMS.1601"),
            Self::BadMarker => (BAD, "KMS.1602"),
            Self::RandomLength => (BAD, "KMS.1801"),
            Self::RandomLengthBits => (BAD, "KMS.1802"),
            Self::DatakeyLength => (BAD, "KMS.1901"),
            Self::DatakeySpec => (BAD, "KMS.1902"),
            Self::DatakeyLengthBits => (BAD, "KMS.1903"),
            Self::DatakeyPlaintext => (BAD, "KMS.2101"),
            Self::DatakeyPlaintextLength => (BAD, "KMS.2102"),
            Self::DatakeyDigest => (BAD, "KMS.2103"),
            Self::DatakeyLengthDiffers => (BAD, "KMS.2104"),
            Self::BadCiphertext => (BAD, "KMS.2201"),
            Self::DatakeyCipherLength => (BAD, "KMS.2202"),
            Self::DatakeyCipherLengthDiffers => (BAD, "KMS.2204"),
        }
    }

    /// The text alone: `KMS.2201`.
    pub const fn text(self) -> &'static str {
        self.row().1
    }
}

/// A refusal: a code, and words that tell the caller what to do. Never holds a
/// plaintext, a key, a ciphertext or a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.text())]
pub struct ApiError {
    code: Code,
    message: Cow<'static, str>,
}

impl ApiError {
    /// A refusal with these words.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The one answer to a ciphertext that does not open. Damage, another key,
    /// version, purpose or context must not be told apart from outside.
    pub const fn bad_ciphertext() -> Self {
        Self {
            code: Code::BadCiphertext,
            message: Cow::Borrowed(
                "the ciphertext does not open: it is damaged, or was made for another key, \
                 operation or context",
            ),
        }
    }

    /// A field whose value is out of bounds; `must` completes "NAME must …".
    pub fn field(name: &str, must: &str) -> Self {
        Self::new(Code::BadField, format!("{name} must {must}"))
    }

    /// The code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The words.
    pub fn message(&self) -> &str {
        &self.message
    }
}
