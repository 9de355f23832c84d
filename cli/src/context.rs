//! The encryption context of a command, in both of its forms: as the API takes it and as the formats bind it.

use std::collections::BTreeMap;

use sealward_core::{ContextError, EncryptionContext};

/// What a ciphertext is bound to. Not secret.
#[derive(Clone, Debug, Default)]
pub struct Context {
    bound: EncryptionContext,
    /// The API takes text where the formats take bytes.
    text: Option<String>,
}

impl Context {
    /// A text: `additional_authenticated_data`. The empty text is no context.
    ///
    /// # Errors
    /// The text is far too long.
    pub fn text(text: &str) -> Result<Self, ContextError> {
        Ok(Self {
            bound: EncryptionContext::bytes(text.as_bytes())?,
            text: (!text.is_empty()).then(|| text.to_owned()),
        })
    }

    /// Names and values: `encryption_context`. No pairs are no context.
    ///
    /// # Errors
    /// A name given twice, or far too much.
    pub fn pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ContextError> {
        Ok(Self {
            bound: EncryptionContext::map(pairs)?,
            text: None,
        })
    }

    /// What the formats bind.
    pub fn bound(&self) -> &EncryptionContext {
        &self.bound
    }

    /// `additional_authenticated_data`, where this is a text.
    pub fn as_text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// `encryption_context`, where this is a map.
    pub fn as_map(&self) -> Option<&BTreeMap<String, String>> {
        self.bound.as_map()
    }
}
