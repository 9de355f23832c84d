//! Key material at rest: the record of a CMK, its sealed versions, and the root key.
//!
//! All documents are JSON, strict: an unknown field is an error, because it may be one that restricts what the
//! document allows.

use jiff::Timestamp;
use rand_core::TryCryptoRng;
use sealward_core::{
    ContextError, EncryptionContext, Header, KeyId, KeyVersion, OpenError, RootKey, SealError,
    VersionKey, open_version, seal_version,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::names::{NameError, VersionName};

pub use record::{
    CountedVersion, Custody, MAX_VERSIONS, Record, RecordState, RotationRequest, SpecSeen,
};

mod base64;
mod record;

/// What the seal of a version binds: kept beside it in clear, and authenticated by it as its encryption context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VersionContext {
    /// Key id of the CMK.
    pub key_id: KeyId,
    /// The version.
    pub version: KeyVersion,
    /// Namespace of the CMK.
    pub namespace: String,
    /// Name of the CMK.
    pub name: String,
    /// UID of the namespace; in local mode, the id of the folder.
    pub namespace_uid: Uuid,
    /// Where this version may go.
    pub custody: Custody,
    /// When it was made.
    pub created_at: Timestamp,
}

impl VersionContext {
    /// The context of `version` of the CMK that the record describes.
    pub fn new(record: &Record, version: KeyVersion, created_at: Timestamp) -> Self {
        Self {
            key_id: record.key_id,
            version,
            namespace: record.namespace.clone(),
            name: record.name.clone(),
            namespace_uid: record.namespace_uid,
            custody: record.spec.custody,
            created_at,
        }
    }

    /// As the seal authenticates it: the map of `docs/formats.md`, numbers in decimal. Fails where a document that
    /// was tampered with has names longer than any context.
    pub fn encryption_context(&self) -> Result<EncryptionContext, ContextError> {
        let fields = [
            ("keyId", self.key_id.to_string()),
            ("version", self.version.to_string()),
            ("namespace", self.namespace.clone()),
            ("name", self.name.clone()),
            ("namespaceUid", self.namespace_uid.to_string()),
            ("custody", self.custody.as_str().to_owned()),
            ("createdAt", self.created_at.to_string()),
        ];
        EncryptionContext::map(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}

/// One version of a CMK, sealed by the root key. Never changes once it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SealedVersion {
    /// What the seal binds.
    pub context: VersionContext,
    /// The ciphertext of purpose 3 (sealed version), base64 in the document.
    #[serde(with = "base64")]
    pub sealed: Vec<u8>,
}

impl SealedVersion {
    /// Seals a version.
    pub fn seal<R: TryCryptoRng>(
        root: &RootKey,
        key: &VersionKey,
        context: VersionContext,
        rng: &mut R,
    ) -> Result<Self, SealError> {
        let bound = context
            .encryption_context()
            .map_err(|_| SealError::TooLong)?;
        let sealed = seal_version(root, key, &bound, rng)?;
        Ok(Self { context, sealed })
    }

    /// Parses a document. Nothing in it is to be trusted before it opens.
    pub fn parse(json: &[u8]) -> Result<Self, DocumentError> {
        serde_json::from_slice(json).map_err(DocumentError::Json)
    }

    /// As it is stored.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self)
    }

    /// The version, if the root key's seal holds for all of the context. Says nothing about whose version it is:
    /// see [`Self::check_place`].
    pub fn open(&self, root: &RootKey) -> Result<VersionKey, MaterialError> {
        let (header, _) = Header::parse(&self.sealed).map_err(MaterialError::Seal)?;
        if (header.key_id, header.key_version) != (root.id(), root.version()) {
            return Err(MaterialError::OtherRootKey {
                sealed_by: header.key_id,
                sealed_by_version: header.key_version,
                root: root.id(),
                root_version: root.version(),
            });
        }
        let context = &self.context;
        let bound = context
            .encryption_context()
            .map_err(MaterialError::Context)?;
        open_version(root, context.key_id, context.version, &bound, &self.sealed)
            .map_err(MaterialError::Seal)
    }

    /// Whether this is the version that its name says, of the CMK of this record: stops a valid version of another
    /// CMK, or another version of this one, from being put in this place.
    pub fn check_place(&self, name: &VersionName, record: &Record) -> Result<(), MaterialError> {
        let expected = VersionContext::new(record, name.version, self.context.created_at);
        let context = &self.context;
        let differs = |field| Err(MaterialError::Differs { field });
        if context.key_id != expected.key_id {
            return differs("keyId");
        }
        if context.version != expected.version {
            return differs("version");
        }
        if context.namespace != expected.namespace {
            return differs("namespace");
        }
        if context.name != expected.name {
            return differs("name");
        }
        if context.namespace_uid != expected.namespace_uid {
            return differs("namespaceUid");
        }
        // Custody and date are free until the version counts; then the record knows them.
        if let Some(counted) = record
            .versions
            .iter()
            .find(|counted| counted.version == name.version)
        {
            if context.custody != counted.custody {
                return differs("custody");
            }
            if context.created_at != counted.created_at {
                return differs("createdAt");
            }
        }
        let (header, _) = Header::parse(&self.sealed).map_err(MaterialError::Seal)?;
        if header.key_version == name.root_version {
            Ok(())
        } else {
            differs("root key version")
        }
    }
}

/// The root key as a data folder keeps it: in clear, and guarded by nothing but the mode of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootKeyDocument {
    id: KeyId,
    version: KeyVersion,
    created_at: Timestamp,
    #[serde(with = "base64::secret")]
    key: RootSecret,
}

/// 32 bytes, erased when dropped.
type RootSecret = zeroize::Zeroizing<[u8; 32]>;

impl RootKeyDocument {
    /// The document of a root key.
    pub fn new(root: &RootKey, created_at: Timestamp) -> Self {
        let key = RootSecret::new(*root.expose_secret());
        Self {
            id: root.id(),
            version: root.version(),
            created_at,
            key,
        }
    }

    /// Parses a document. The error tells the position only: the parser's own words would quote the key from a file
    /// in which it is in the wrong field.
    pub fn parse(json: &[u8]) -> Result<Self, DocumentError> {
        serde_json::from_slice(json).map_err(|error| DocumentError::RootKey {
            line: error.line(),
            column: error.column(),
        })
    }

    /// As it is stored. Erased when dropped.
    pub fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(to_json(self))
    }

    /// The root key.
    pub fn root_key(&self) -> RootKey {
        RootKey::new(self.id, self.version, &self.key)
    }
}

/// Why a document cannot be believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not JSON, or not these fields.
    #[error("is not a document of this format: {0}")]
    Json(serde_json::Error),
    /// Not a root key.
    #[error("is not a root key document (line {line}, column {column})")]
    RootKey {
        /// Where parsing ended, from 1.
        line: usize,
        /// Where parsing ended, from 1.
        column: usize,
    },
    /// A name in it is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It lies under a name that is not its own.
    #[error("is the document of {is}: it lies under a wrong name")]
    Misplaced {
        /// Its own name.
        is: String,
    },
    /// Its fields contradict each other.
    #[error("contradicts itself: {what}")]
    Inconsistent {
        /// What does not fit.
        what: &'static str,
    },
    /// It is well, but nothing here has a use for it.
    #[error("is not used: {why}")]
    Unused {
        /// The reason.
        why: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[source] std::io::Error),
    /// More than a document of ours ever has.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// What is read at most, in bytes.
        limit: usize,
    },
}

/// Why a sealed version is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// Not a document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The context and its place or the record disagree.
    #[error("belongs elsewhere: its {field} is not what its name and the record say")]
    Differs {
        /// The field that differs.
        field: &'static str,
    },
    /// Sealed by another root key.
    #[error(
        "is sealed by root key {sealed_by} version {sealed_by_version}, but the root key here is {root} version {root_version}"
    )]
    OtherRootKey {
        /// The root key that sealed it.
        sealed_by: KeyId,
        /// Its version.
        sealed_by_version: KeyVersion,
        /// The root key that is there.
        root: KeyId,
        /// Its version.
        root_version: KeyVersion,
    },
    /// The context is none that was ever sealed.
    #[error("has a context that cannot be")]
    Context(#[source] ContextError),
    /// The seal does not hold.
    #[error("does not open: it, its context or the root key was changed")]
    Seal(#[source] OpenError),
    /// It counts, and is not there.
    #[error("is missing")]
    Missing,
}

fn to_json<T: Serialize>(document: &T) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(document).expect("string keys, no failing serializer");
    json.push(b'\n');
    json
}

#[cfg(test)]
mod tests;
