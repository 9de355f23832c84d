//! Reading CMKs from YAML files, as `kubectl apply --validate=strict` would.

mod documents;

use std::collections::HashSet;
use std::fmt;

use kube::ResourceExt as _;
use serde::Deserialize as _;
use serde_json::Value;

use crate::customer_master_key::CustomerMasterKey;
use crate::validate::{Violation, admit};

/// Largest manifest, in bytes. A CMK takes some 300, and etcd takes no object over 1.5 MiB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The namespace of a CMK that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Reads all CMKs in `yaml`, which holds any number of documents; empty ones are skipped. `file` names the text in
/// errors.
///
/// What is returned has its defaults filled in, its namespace set, and no status: a status is the
/// operator's to write, so one in a manifest is checked and dropped, as an API server does.
///
/// # Errors
///
/// The first document that cannot be read, is not a CMK, breaks its schema or a rule, or repeats the name
/// of an earlier one; with everything that is wrong with it.
pub fn parse(yaml: &str, file: &str) -> Result<Vec<CustomerMasterKey>, ManifestError> {
    if yaml.len() > MAX_BYTES {
        return Err(ManifestError {
            file: file.to_owned(),
            place: None,
            problem: Problem::TooLarge,
        });
    }
    let mut names = HashSet::new();
    let mut keys = Vec::new();
    for document in documents::split(yaml) {
        let key = document
            .read()
            .and_then(|object| object.as_ref().map(read_key).transpose())
            .map_err(|problem| document.error(file, keys.len() + 1, problem))?;
        let Some(key) = key else { continue };
        let name = format!("{}/{}", key.namespace().unwrap_or_default(), key.name_any());
        if !names.insert(name.clone()) {
            return Err(document.error(file, keys.len() + 1, Problem::Repeated(name)));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn read_key(object: &Value) -> Result<CustomerMasterKey, Problem> {
    let object = admit(object, None).map_err(Problem::Refused)?;
    let mut key = CustomerMasterKey::deserialize(object)
        .map_err(|error| Problem::Unreadable(error.to_string()))?;
    key.status = None;
    let namespace = key
        .metadata
        .namespace
        .take()
        .filter(|name| !name.is_empty());
    key.metadata.namespace = Some(namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()));
    Ok(key)
}

/// A manifest cannot be used. Displays as one line: file, document, line, and what is wrong there.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestError {
    file: String,
    place: Option<Place>,
    problem: Problem,
}

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// The number of the document, from 1, not counting empty ones.
    document: usize,
    /// The line in the file, from 1: of the mistake where it is known, else of the document's start.
    line: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Problem {
    TooLarge,
    Refused(Vec<Violation>),
    Repeated(String),
    /// Not YAML, or beyond our limits, at that line of the file.
    Syntax {
        line: usize,
        message: String,
    },
    /// Passed the schema, and yet the types do not take it.
    Unreadable(String),
}

impl ManifestError {
    /// What is wrong with the object, where the YAML could be read; else empty.
    pub fn violations(&self) -> &[Violation] {
        match &self.problem {
            Problem::Refused(violations) => violations,
            _ => &[],
        }
    }
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.file)?;
        if let Some(Place { document, line }) = self.place {
            write!(formatter, "document {document} (line {line}): ")?;
        }
        match &self.problem {
            Problem::TooLarge => write!(
                formatter,
                "larger than {MAX_BYTES} bytes; split it into several files"
            ),
            Problem::Refused(violations) => {
                for (index, violation) in violations.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(formatter, "{separator}{violation}")?;
                }
                Ok(())
            }
            Problem::Repeated(name) => write!(
                formatter,
                "metadata.name: Duplicate value: {name:?}: an earlier document of this file has it"
            ),
            Problem::Syntax { message, .. } | Problem::Unreadable(message) => {
                formatter.write_str(message)
            }
        }
    }
}

#[cfg(test)]
mod tests;
