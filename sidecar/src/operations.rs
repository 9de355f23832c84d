//! What the operations do: typed request in, body of the answer out.
//!
//! The order of checks is the same in all: the request is parsed, the key found,
//! its state checked, then sizes, and only then is anything encrypted or
//! decrypted. So a refusal never tells more than the caller may know.

mod data;
mod datakey;
mod keys;

use std::sync::Arc;

use sealward_core::{
    EncryptionContext, Header, Purpose, SealError, SecretBytes, VersionKey, open, seal,
};
use sealward_protocol::names::KeyName;

use crate::audit::{KeyUse, Use};
use crate::erased::Erased;
use crate::error::{ApiError, Code};
use crate::keyring::{FindError, Keyring};
use crate::routes::Operation;
use crate::source::{Cmk, CmkState, SourceKind, Wanted};
use crate::wire::request::{self, Pairs};

/// The most characters of a `cipher_text`: what 4096 bytes take in the largest
/// suite, and hex of the largest DEK.
const MAX_CIPHERTEXT: usize = 7200;

/// The most bytes of `additional_authenticated_data`.
const MAX_AAD: usize = 128;

/// The most characters of all names and values in `encryption_context`.
const MAX_CONTEXT: usize = 8192;

/// Does operations.
pub(crate) struct Operations {
    pub(crate) keyring: Arc<Keyring>,
    /// That of `alias/NAME`.
    pub(crate) namespace: String,
}

impl Operations {
    /// Does one, and notes in `used` what it used. Strings in the body are
    /// unescaped in place, so it is spent.
    pub(crate) async fn run(
        &self,
        operation: Operation,
        body: &mut [u8],
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        match operation {
            Operation::EncryptData => {
                self.encrypt_data(request::EncryptData::parse(body)?, used)
                    .await
            }
            Operation::DecryptData => {
                self.decrypt_data(request::DecryptData::parse(body)?, used)
                    .await
            }
            Operation::ReEncrypt => {
                self.re_encrypt(request::ReEncrypt::parse(body)?, used)
                    .await
            }
            Operation::CreateDatakey | Operation::CreateDatakeyWithoutPlaintext => {
                let request = request::CreateDatakey::parse(body)?;
                let with_plaintext = operation == Operation::CreateDatakey;
                self.create_datakey(request, with_plaintext, used).await
            }
            Operation::EncryptDatakey => {
                self.encrypt_datakey(request::EncryptDatakey::parse(body)?, used)
                    .await
            }
            Operation::DecryptDatakey => {
                self.decrypt_datakey(request::DecryptDatakey::parse(body)?, used)
                    .await
            }
            Operation::DescribeKey => {
                self.describe_key(request::DescribeKey::parse(body)?, used)
                    .await
            }
            Operation::ListKeys => {
                let request = if body.is_empty() {
                    // SDKs send no body where no field is set.
                    request::ListKeys::default()
                } else {
                    request::ListKeys::parse(body)?
                };
                self.list_keys(request).await
            }
            Operation::GenRandom => datakey::gen_random(&request::GenRandom::parse(body)?),
            Operation::ListVersions => Ok(keys::list_versions()),
            Operation::ShowVersion => Ok(keys::show_version()),
        }
    }

    /// The CMK that a caller names.
    async fn named(&self, key_id: &str, used: &mut Option<KeyUse>) -> Result<Arc<Cmk>, ApiError> {
        self.find(&self.parse_key_id(key_id)?, used).await
    }

    /// The CMK that a ciphertext is of. Where the caller names one, it must be that.
    async fn of_ciphertext(
        &self,
        header: Option<Header>,
        key_id: Option<&str>,
        used: &mut Option<KeyUse>,
    ) -> Result<(Arc<Cmk>, Header), ApiError> {
        let named = key_id.map(|key_id| self.parse_key_id(key_id)).transpose()?;
        let cmk = match &named {
            Some(wanted) => Some(self.find(wanted, used).await?),
            None => None,
        };
        let header = header.ok_or(ApiError::bad_ciphertext())?;
        let cmk = match cmk {
            Some(cmk) if cmk.id != header.key_id => return Err(ApiError::bad_ciphertext()),
            Some(cmk) => cmk,
            None => self.find(&Wanted::Id(header.key_id), used).await?,
        };
        if let Some(used) = used {
            used.version = Some(header.key_version);
        }
        Ok((cmk, header))
    }

    async fn find(&self, wanted: &Wanted, used: &mut Option<KeyUse>) -> Result<Arc<Cmk>, ApiError> {
        if let Wanted::Id(id) = wanted {
            *used = Some(KeyUse {
                id: *id,
                version: None,
            });
        }
        let cmk = self
            .keyring
            .find(wanted)
            .await
            .map_err(|error| match error {
                FindError::Unknown => unknown(wanted, self.keyring.source().kind()),
                FindError::Unavailable(reason) => ApiError::new(
                    Code::Unavailable,
                    format!("{wanted} cannot be had: {reason}"),
                ),
            })?;
        *used = Some(KeyUse {
            id: cmk.id,
            version: None,
        });
        match cmk.state {
            CmkState::Destroyed { at } => Err(ApiError::new(
                Code::UnknownKey,
                format!("{wanted} was destroyed on {at}"),
            )),
            _ => Ok(cmk),
        }
    }

    fn parse_key_id(&self, text: &str) -> Result<Wanted, ApiError> {
        let malformed = || {
            ApiError::new(
                Code::MalformedKeyId,
                "a key id is a UUID in lower case, alias/NAME, or alias/NAMESPACE/NAME",
            )
        };
        match text.strip_prefix("alias/") {
            None => text.parse().map(Wanted::Id).map_err(|_| malformed()),
            Some(name) => match name.split_once('/') {
                Some((namespace, name)) => KeyName::new(namespace, name),
                None => KeyName::new(self.namespace.as_str(), name),
            }
            .map(Wanted::Name)
            .map_err(|_| malformed()),
        }
    }
}

/// Whether a CMK may be used.
fn check_state(cmk: &Cmk) -> Result<(), ApiError> {
    match cmk.state {
        CmkState::Enabled => Ok(()),
        CmkState::Disabled => Err(ApiError::new(
            Code::Disabled,
            format!("key {} is disabled", cmk.name),
        )),
        CmkState::PendingDeletion { destroy_at } => Err(ApiError::new(
            Code::PendingDeletion,
            format!(
                "key {} is pending deletion and will be destroyed on {destroy_at}",
                cmk.name
            ),
        )),
        // Where it was found, it was refused.
        CmkState::Destroyed { at } => Err(ApiError::new(
            Code::UnknownKey,
            format!("key {} was destroyed on {at}", cmk.name),
        )),
    }
}

fn unknown(wanted: &Wanted, kind: SourceKind) -> ApiError {
    let message = match kind {
        SourceKind::Folder => format!("no such key: {wanted}; sealward keys lists those there are"),
        SourceKind::Cluster => format!(
            "no such key, or this ServiceAccount may not use it: {wanted}; ask kubectl auth can-i \
             decrypt cmk/NAME --subresource=use --as system:serviceaccount:NAMESPACE:NAME"
        ),
    };
    ApiError::new(Code::UnknownKey, message)
}

/// The version that seals, of a CMK that may be used.
fn primary(cmk: &Cmk) -> Result<&VersionKey, ApiError> {
    cmk.primary().map(AsRef::as_ref).ok_or_else(|| {
        ApiError::new(
            Code::Unavailable,
            format!(
                "key {} has no version that could encrypt: see its conditions",
                cmk.name
            ),
        )
    })
}

fn seal_with(
    cmk: &Cmk,
    purpose: Purpose,
    context: &EncryptionContext,
    plaintext: &[u8],
    used: &mut Use,
) -> Result<Vec<u8>, ApiError> {
    let key = primary(cmk)?;
    used.key = Some(KeyUse {
        id: cmk.id,
        version: Some(key.version()),
    });
    used.context_hash = context_hash(key, context);
    seal(key, purpose, context, plaintext, &mut getrandom::SysRng).map_err(|error| match error {
        SealError::Random(error) => ApiError::new(Code::Internal, error.to_string()),
        // All plaintexts here are far below the limit of the format.
        _ => ApiError::new(Code::Internal, "could not encrypt"),
    })
}

fn open_with(
    cmk: &Cmk,
    header: &Header,
    purpose: Purpose,
    context: &EncryptionContext,
    ciphertext: &[u8],
    used: &mut Use,
) -> Result<SecretBytes, ApiError> {
    let Some(key) = cmk.version(header.key_version) else {
        if cmk.unusable.contains(&header.key_version) {
            // The ciphertext may be good; it is we who lost something.
            return Err(ApiError::new(
                Code::Unavailable,
                format!(
                    "version {} of key {} is damaged or missing: see its conditions",
                    header.key_version, cmk.name
                ),
            ));
        }
        return Err(ApiError::bad_ciphertext());
    };
    used.context_hash = context_hash(key, context);
    open(key, purpose, context, ciphertext).map_err(|_| ApiError::bad_ciphertext())
}

fn context_hash(key: &VersionKey, context: &EncryptionContext) -> Option<[u8; 32]> {
    (!context.is_none()).then(|| key.context_hash(context))
}

/// The encryption context of the two fields that can hold one.
fn context(
    aad_name: &'static str,
    aad: Option<&str>,
    pairs: Option<Pairs<'_>>,
) -> Result<EncryptionContext, ApiError> {
    match (aad, pairs) {
        (None, None) => Ok(EncryptionContext::none()),
        (Some(_), Some(_)) => Err(ApiError::field(
            aad_name,
            "not be given together with encryption_context",
        )),
        (Some(aad), None) => {
            if aad.len() > MAX_AAD {
                return Err(ApiError::field(aad_name, "be at most 128 bytes"));
            }
            EncryptionContext::bytes(aad)
                .map_err(|error| ApiError::new(Code::BadContext, error.to_string()))
        }
        (None, Some(Pairs(pairs))) => {
            let characters: usize = pairs
                .iter()
                .map(|(name, value)| name.chars().count() + value.chars().count())
                .sum();
            if characters > MAX_CONTEXT {
                return Err(ApiError::new(
                    Code::BadContext,
                    "encryption_context must be at most 8192 characters",
                ));
            }
            let owned = pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            EncryptionContext::map(owned).map_err(|error| {
                ApiError::new(Code::BadContext, format!("encryption_context: {error}"))
            })
        }
    }
}

/// A number that the API writes as a string: decimal, without sign or leading zeros.
fn number(text: &str) -> Option<usize> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.is_empty()
        && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

fn check_algorithm(name: &'static str, algorithm: Option<&str>) -> Result<(), ApiError> {
    match algorithm {
        None | Some("" | "SYMMETRIC_DEFAULT") => Ok(()),
        Some(_) => Err(ApiError::field(name, "be SYMMETRIC_DEFAULT")),
    }
}

fn check_ciphertext_length(ciphertext: &str) -> Result<(), ApiError> {
    if ciphertext.len() > MAX_CIPHERTEXT {
        return Err(ApiError::field("cipher_text", "be at most 7200 characters"));
    }
    Ok(())
}

/// The header of a ciphertext, if it has one.
fn header(ciphertext: &[u8]) -> Option<Header> {
    Header::parse(ciphertext).ok().map(|(header, _)| header)
}
