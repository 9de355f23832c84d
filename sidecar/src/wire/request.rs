//! Bodies of requests. Parsing checks types and names; what a value may be is
//! checked where it is used, after the key was found.
//!
//! Parsing is strict: an unknown or repeated name, or a value of another type, is
//! refused by name. A field that is ignored may be one that the caller relies on.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::json::{JsonError, Members};
use crate::error::{ApiError, Code};

/// `encryption_context`: pairs of strings, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pairs<'a>(pub Vec<(&'a str, &'a str)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Declares a request: its fields are `&str` where mandatory, else `Option`s, and
/// every request also has `sequence`.
macro_rules! request {
    ($(#[$doc:meta])* $name:ident<$a:lifetime> { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, Serialize)]
        pub struct $name<$a> {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "Member::is_absent")] pub $field: $type,)*
            /// A serial number of the caller's, 36 characters; not echoed.
            #[serde(skip_serializing_if = "Member::is_absent")]
            pub sequence: Option<&$a str>,
        }

        impl<$a> $name<$a> {
            /// Parses a body. Strings are unescaped in place, so the body is spent.
            ///
            /// # Errors
            /// KMS.0202 for what is not JSON, KMS.0204 for a missing field, KMS.0206
            /// for `sequence`, KMS.0208 for `encryption_context`, and KMS.0308 for
            /// unknown, repeated and wrongly typed fields; each names the field.
            pub fn parse(body: &$a mut [u8]) -> Result<Self, ApiError> {
                $(let mut $field: Option<$type> = None;)*
                let mut sequence: Option<Option<&$a str>> = None;
                let mut members = Members::of(body).map_err(not_json)?;
                while let Some(name) = members.name().map_err(not_json)? {
                    match name {
                        $(stringify!($field) => read(&mut $field, stringify!($field), &mut members)?,)*
                        "sequence" => read(&mut sequence, "sequence", &mut members)?,
                        unknown => return Err(unknown_field(unknown)),
                    }
                }
                let sequence = sequence.flatten();
                check_sequence(sequence)?;
                Ok(Self {
                    $($field: $field.map_or_else(|| Member::absent(stringify!($field)), Ok)?,)*
                    sequence,
                })
            }
        }
    };
}

request! {
    /// `encrypt-data`
    EncryptData<'a> {
        /// A key id, or an alias.
        key_id: &'a str,
        /// The text itself, 1 to 4096 bytes.
        plain_text: &'a str,
        /// At most 128 bytes.
        additional_authenticated_data: Option<&'a str>,
        /// `SYMMETRIC_DEFAULT`.
        encryption_algorithm: Option<&'a str>,
        /// At most 8192 characters.
        encryption_context: Option<Pairs<'a>>,
    }
}

request! {
    /// `decrypt-data`
    DecryptData<'a> {
        /// Base64.
        cipher_text: &'a str,
        /// As at encryption.
        additional_authenticated_data: Option<&'a str>,
        /// Where given, the key that the ciphertext must name.
        key_id: Option<&'a str>,
        /// `SYMMETRIC_DEFAULT`.
        encryption_algorithm: Option<&'a str>,
        /// As at encryption.
        encryption_context: Option<Pairs<'a>>,
    }
}

request! {
    /// `re-encrypt`
    ReEncrypt<'a> {
        /// Base64, or hex for a data key.
        cipher_text: &'a str,
        /// The key to encrypt under.
        destination_key_id: &'a str,
        /// Where given, the key that the ciphertext must name.
        source_key_id: Option<&'a str>,
        /// As at encryption.
        source_additional_authenticated_data: Option<&'a str>,
        /// For the new ciphertext; absent: none.
        destination_additional_authenticated_data: Option<&'a str>,
        /// `SYMMETRIC_DEFAULT`.
        source_encryption_algorithm: Option<&'a str>,
        /// `SYMMETRIC_DEFAULT`.
        destination_encryption_algorithm: Option<&'a str>,
        /// Bytes of a data key; checked where given.
        datakey_cipher_length: Option<&'a str>,
    }
}

request! {
    /// `create-datakey` and `create-datakey-without-plaintext`
    CreateDatakey<'a> {
        /// A key id, or an alias.
        key_id: &'a str,
        /// `AES_256` or `AES_128`.
        key_spec: Option<&'a str>,
        /// Bits, 8 to 8192, a multiple of 8; wins over `key_spec`.
        datakey_length: Option<&'a str>,
        /// At most 128 bytes.
        additional_authenticated_data: Option<&'a str>,
        /// At most 8192 characters.
        encryption_context: Option<Pairs<'a>>,
    }
}

request! {
    /// `encrypt-datakey`
    EncryptDatakey<'a> {
        /// A key id, or an alias.
        key_id: &'a str,
        /// Hex of the DEK, followed by hex of its SHA-256.
        plain_text: &'a str,
        /// Bytes of the DEK alone, 1 to 1024.
        datakey_plain_length: &'a str,
        /// At most 128 bytes.
        additional_authenticated_data: Option<&'a str>,
        /// At most 8192 characters.
        encryption_context: Option<Pairs<'a>>,
    }
}

request! {
    /// `decrypt-datakey`
    DecryptDatakey<'a> {
        /// The key that the ciphertext must name.
        key_id: &'a str,
        /// Hex.
        cipher_text: &'a str,
        /// Bytes of the DEK in it, 1 to 1024.
        datakey_cipher_length: &'a str,
        /// As at encryption.
        additional_authenticated_data: Option<&'a str>,
        /// As at encryption.
        encryption_context: Option<Pairs<'a>>,
    }
}

request! {
    /// `describe-key`
    DescribeKey<'a> {
        /// A key id, or an alias.
        key_id: &'a str,
    }
}

request! {
    /// `list-keys`. Empty strings are as good as none.
    ListKeys<'a> {
        /// Keys on a page, 1 to 1000.
        limit: Option<&'a str>,
        /// `next_marker` of the page before.
        marker: Option<&'a str>,
        /// Only keys in this state, `1` to `5`.
        key_state: Option<&'a str>,
        /// Only keys of this kind; all here are `AES_256`.
        key_spec: Option<&'a str>,
        /// Only keys of this project; all here are of `0`.
        enterprise_project_id: Option<&'a str>,
    }
}

request! {
    /// `gen-random`
    GenRandom<'a> {
        /// Bits, 8 to 8192, a multiple of 8.
        random_data_length: &'a str,
    }
}

/// What the type of a field says of how it is read.
trait Member<'a>: Sized {
    fn read(members: &mut Members<'a>) -> Result<Self, JsonError>;
    fn absent(name: &'static str) -> Result<Self, ApiError>;
    fn is_absent(&self) -> bool;
    /// What a wrong type is refused with.
    const WRONG: (Code, &'static str) = (Code::BadField, "a string");
}

impl<'a> Member<'a> for &'a str {
    fn read(members: &mut Members<'a>) -> Result<Self, JsonError> {
        members.string()
    }

    fn absent(name: &'static str) -> Result<Self, ApiError> {
        Err(ApiError::new(
            Code::MissingField,
            format!("{name} is missing"),
        ))
    }

    fn is_absent(&self) -> bool {
        false
    }
}

impl<'a> Member<'a> for Option<&'a str> {
    fn read(members: &mut Members<'a>) -> Result<Self, JsonError> {
        members.string().map(Some)
    }

    fn absent(_: &'static str) -> Result<Self, ApiError> {
        Ok(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<'a> Member<'a> for Option<Pairs<'a>> {
    const WRONG: (Code, &'static str) = (Code::BadContext, "an object of strings");

    fn read(members: &mut Members<'a>) -> Result<Self, JsonError> {
        members.pairs().map(|pairs| Some(Pairs(pairs)))
    }

    fn absent(_: &'static str) -> Result<Self, ApiError> {
        Ok(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

fn read<'a, T: Member<'a>>(
    field: &mut Option<T>,
    name: &'static str,
    members: &mut Members<'a>,
) -> Result<(), ApiError> {
    if field.is_some() {
        return Err(ApiError::field(name, "be given once, and is given twice"));
    }
    let (code, wanted) = T::WRONG;
    *field = Some(T::read(members).map_err(|error| match error {
        JsonError::Type { found } => {
            ApiError::new(code, format!("{name} must be {wanted}, and holds {found}"))
        }
        syntax @ JsonError::Syntax { .. } => not_json(syntax),
    })?);
    Ok(())
}

fn unknown_field(name: &str) -> ApiError {
    // Names are echoed so that a typing error is seen, but not at any length.
    let shown: String = name.chars().take(64).collect();
    ApiError::new(
        Code::BadField,
        format!("{shown:?} is not a field of this operation"),
    )
}

fn not_json(error: JsonError) -> ApiError {
    let message = match error {
        JsonError::Syntax { at, expected } => {
            format!("the body is not a JSON object: expected {expected} at byte {at}")
        }
        JsonError::Type { found } => format!("the body must be an object, and is {found}"),
    };
    ApiError::new(Code::NotJson, message)
}

fn check_sequence(sequence: Option<&str>) -> Result<(), ApiError> {
    let fits = |text: &str| {
        text.len() == 36
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match sequence {
        Some(text) if !fits(text) => Err(ApiError::new(
            Code::BadSequence,
            "sequence must be 36 characters of a-z, A-Z, 0-9 and -",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (&'static str, String) {
        let mut body = body.as_bytes().to_vec();
        let error = EncryptData::parse(&mut body).err().expect("refused");
        (error.code().text(), error.message().to_owned())
    }

    #[test]
    fn reads_what_a_client_writes() {
        let request = EncryptData {
            key_id: "alias/web",
            plain_text: "a\"\u{1}😀",
            encryption_context: Some(Pairs(vec![("tenant", "a")])),
            ..EncryptData::default()
        };
        let mut body = serde_json::to_vec(&request).unwrap();
        assert!(!String::from_utf8(body.clone()).unwrap().contains("null"));
        assert!(EncryptData::parse(&mut body).unwrap() == request);
    }

    #[test]
    fn each_refusal_names_its_field() {
        for (body, code, message) in [
            (r#"{"key_id":"k"}"#, "KMS.0204", "plain_text is missing"),
            (r#"{"plain_text":"p"}"#, "KMS.0204", "key_id is missing"),
            (
                r#"{"key_id":1}"#,
                "KMS.0308",
                "key_id must be a string, and holds a number",
            ),
            (
                r#"{"key_id":null}"#,
                "KMS.0308",
                "key_id must be a string, and holds null",
            ),
            (
                r#"{"keyid":"k"}"#,
                "KMS.0308",
                "\"keyid\" is not a field of this operation",
            ),
            (
                r#"{"key_id":"k","key_id":"k"}"#,
                "KMS.0308",
                "key_id must be given once, and is given twice",
            ),
            (
                r#"{"encryption_context":"a=b"}"#,
                "KMS.0208",
                "encryption_context must be an object of strings, and holds a string",
            ),
            (
                r#"{"encryption_context":{"a":1}}"#,
                "KMS.0208",
                "encryption_context must be an object of strings, and holds a number",
            ),
            (
                r#"{"key_id":"k","plain_text":"p","sequence":"7"}"#,
                "KMS.0206",
                "sequence must be 36 characters of a-z, A-Z, 0-9 and -",
            ),
        ] {
            assert_eq!(refusal(body), (code, message.to_owned()), "{body}");
        }
        assert_eq!(refusal("nonsense").0, "KMS.0202");
        let long = refusal(&format!("{{\"{}\":\"\"}}", "x".repeat(9000)));
        assert!(long.1.len() < 128, "{}", long.1);
    }
}
