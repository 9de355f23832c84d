//! Names of keys, and of the objects that hold their material.

use std::fmt;
use std::str::FromStr;

use sealward_core::KeyVersion;
use uuid::Uuid;

/// What a DNS label may have at most (RFC 1123, section 2.1, and RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;

/// How much of a namespace's UID is in the name of an object.
const UID_PREFIX: usize = 8;

/// The name of a CMK: its namespace and its name in there. Both are DNS labels, so a dot separates them from
/// whatever else is in the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    namespace: String,
    name: String,
}

impl KeyName {
    /// Checks both parts: 1 to 63 characters of `a-z`, `0-9` and `-`, a letter or digit at either end.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Result<Self, NameError> {
        let (namespace, name) = (namespace.into(), name.into());
        check_label("namespace", &namespace)?;
        check_label("name", &name)?;
        Ok(Self { namespace, name })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (namespace, name) = text.split_once('/').ok_or_else(|| NameError::NotAKey {
            text: text.to_owned(),
        })?;
        Self::new(namespace, name)
    }
}

/// The name of a CMK's record: `cmk.<namespace>.<name>.<first 8 of the namespace UID>`.
///
/// The UID tells apart namespaces of the same name that existed one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName {
    key: KeyName,
    uid_prefix: String,
}

impl RecordName {
    /// The record of the CMK `key` in the namespace that has this UID.
    pub fn new(key: KeyName, namespace_uid: Uuid) -> Self {
        let mut uid_prefix = namespace_uid.to_string();
        uid_prefix.truncate(UID_PREFIX);
        Self { key, uid_prefix }
    }

    /// The CMK.
    pub fn key(&self) -> &KeyName {
        &self.key
    }

    /// The name of one version of this CMK, sealed by that version of the root key.
    pub fn version(&self, version: KeyVersion, root_version: KeyVersion) -> VersionName {
        VersionName {
            record: self.clone(),
            version,
            root_version,
        }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cmk.{}.{}.{}",
            self.key.namespace, self.key.name, self.uid_prefix
        )
    }
}

impl FromStr for RecordName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let not_ours = || NameError::NotAnObject {
            text: text.to_owned(),
        };
        let parts: Vec<&str> = text.split('.').collect();
        let ["cmk", namespace, name, uid_prefix] = parts[..] else {
            return Err(not_ours());
        };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if uid_prefix.len() != UID_PREFIX || !uid_prefix.bytes().all(is_hex) {
            return Err(not_ours());
        }
        Ok(Self {
            key: KeyName::new(namespace, name)?,
            uid_prefix: uid_prefix.to_owned(),
        })
    }
}

/// The name of one sealed version: the record's name, then `.v<version>.r<version of the root key>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionName {
    /// The record of the CMK.
    pub record: RecordName,
    /// The version of the CMK.
    pub version: KeyVersion,
    /// The version of the root key that seals it.
    pub root_version: KeyVersion,
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.v{}.r{}",
            self.record, self.version, self.root_version
        )
    }
}

impl FromStr for VersionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let not_ours = || NameError::NotAnObject {
            text: text.to_owned(),
        };
        let (rest, root_version) = text.rsplit_once(".r").ok_or_else(not_ours)?;
        let (record, version) = rest.rsplit_once(".v").ok_or_else(not_ours)?;
        let number = |digits: &str| {
            digits
                .parse()
                .ok()
                .and_then(KeyVersion::new)
                .ok_or_else(not_ours)
        };
        let name = Self {
            record: record.parse()?,
            version: number(version)?,
            root_version: number(root_version)?,
        };
        // `v01` and `v+1` parse as numbers: two names for one version must not exist.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(not_ours())
        }
    }
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No slash.
    #[error("`{text}` is not a key: write NAMESPACE/NAME")]
    NotAKey {
        /// What was given.
        text: String,
    },
    /// A part that is not a DNS label.
    #[error(
        "{part} `{text}` is not a DNS label: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit"
    )]
    NotALabel {
        /// `namespace` or `name`.
        part: &'static str,
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// Not the name of a record or of a version.
    #[error("`{text}` is not the name of a record or of a sealed version")]
    NotAnObject {
        /// What was found.
        text: String,
    },
}

fn check_label(part: &'static str, text: &str) -> Result<(), NameError> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let at_ends = !text.is_empty() && !text.starts_with('-') && !text.ends_with('-');
    if at_ends && text.len() <= LABEL_MAX && text.bytes().all(inner) {
        return Ok(());
    }
    // One more than fits is enough to see that it is too long.
    Err(NameError::NotALabel {
        part,
        text: text.chars().take(LABEL_MAX + 1).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: Uuid = Uuid::from_u128(0x0191_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0000);

    #[test]
    fn names_survive_a_round_trip() {
        let key: KeyName = "shop/web-tls".parse().unwrap();
        let record = RecordName::new(key.clone(), UID);
        let version = record.version(KeyVersion::new(12).unwrap(), KeyVersion::FIRST);
        assert_eq!(key.to_string(), "shop/web-tls");
        assert_eq!(record.to_string(), "cmk.shop.web-tls.0191aaaa");
        assert_eq!(version.to_string(), "cmk.shop.web-tls.0191aaaa.v12.r1");
        assert_eq!(record.to_string().parse(), Ok(record));
        assert_eq!(version.to_string().parse(), Ok(version));
    }

    #[test]
    fn labels_that_look_like_suffixes_are_told_apart() {
        let record = RecordName::new(KeyName::new("v1", "r1").unwrap(), UID);
        let version = record.version(KeyVersion::FIRST, KeyVersion::FIRST);
        assert_eq!(version.to_string().parse(), Ok(version));
    }

    #[test]
    fn rejects_what_is_not_a_label() {
        let long = "a".repeat(64);
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a.b",
            "a_b",
            "a/b",
            "ä",
            "a b",
            "..",
            long.as_str(),
        ] {
            assert!(KeyName::new("shop", bad).is_err(), "{bad}");
            assert!(KeyName::new(bad, "web").is_err(), "{bad}");
        }
        assert!(KeyName::new("a", "a".repeat(63)).is_ok());
        assert!("web".parse::<KeyName>().is_err());
        let error = KeyName::new("shop", "a".repeat(1000))
            .unwrap_err()
            .to_string();
        assert!(error.len() < 256, "{error}");
    }

    #[test]
    fn rejects_second_spellings_of_a_version_name() {
        for bad in [
            "cmk.shop.web.0191aaaa.v01.r1",
            "cmk.shop.web.0191aaaa.v+1.r1",
            "cmk.shop.web.0191aaaa.v1.r0",
            "cmk.shop.web.0191aaaa.v0.r1",
            "cmk.shop.web.0191AAAA.v1.r1",
            "cmk.shop.web.0191aaa.v1.r1",
            "cmk.shop.web.0191aaaa.v4294967296.r1",
            "cmk.shop.web.0191aaaa.v1",
            "cmk.shop.web.0191aaaa.v1.r1.r1",
            "xmk.shop.web.0191aaaa.v1.r1",
        ] {
            assert!(bad.parse::<VersionName>().is_err(), "{bad}");
        }
    }
}
