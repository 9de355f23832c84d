//! `apiVersion`, `kind` and `metadata`, which no schema of ours describes.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::violation::Violation;
use crate::customer_master_key::CustomerMasterKey;

/// The fields of metadata that there are.
const KNOWN: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
    '-' or '.', and must start and end with an alphanumeric character";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
    and must start and end with an alphanumeric character";

/// Longest DNS label (RFC 1123, 2.1), so longest namespace.
const MAX_LABEL: usize = 63;

/// Checks that the object is of our kind: nothing else can be said of any other.
pub(super) fn check_type(object: &Value) -> Result<(), Vec<Violation>> {
    if !object.is_object() {
        return Err(vec![Violation::wrong_type("", object, "object")]);
    }
    let expected = [
        ("apiVersion", CustomerMasterKey::api_version(&())),
        ("kind", CustomerMasterKey::kind(&())),
    ];
    let violations: Vec<_> = expected
        .iter()
        .filter_map(|(field, expected)| match object.get(*field) {
            None | Some(Value::Null) => {
                Some(Violation::required(*field, &format!("must be {expected}")))
            }
            Some(Value::String(actual)) if actual == expected => None,
            Some(other) => Some(Violation::invalid(
                *field,
                other,
                format!("must be {expected}"),
            )),
        })
        .collect();
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations)
    }
}

/// Checks what is in metadata. The length of the name is not checked here: a CEL rule does.
pub(super) fn check(object: &Value) -> Vec<Violation> {
    let empty = Map::new();
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => &empty,
        Some(other) => return vec![Violation::wrong_type("metadata", other, "object")],
    };
    let mut violations = unknown_fields(metadata);
    violations.extend(check_name(metadata));
    violations.extend(check_namespace(metadata));
    for field in ["labels", "annotations"] {
        violations.extend(check_texts(metadata, field));
    }
    if violations.is_empty()
        && let Err(error) = ObjectMeta::deserialize(metadata)
    {
        let whole = Value::Object(metadata.clone());
        violations.push(Violation::invalid("metadata", &whole, error.to_string()));
    }
    violations
}

fn unknown_fields(metadata: &Map<String, Value>) -> Vec<Violation> {
    metadata
        .keys()
        .filter(|name| !KNOWN.contains(&name.as_str()))
        .map(|name| Violation::new(format!("metadata.{name}"), super::Problem::Unknown))
        .collect()
}

fn check_name(metadata: &Map<String, Value>) -> Option<Violation> {
    let field = "metadata.name";
    match metadata.get("name") {
        None | Some(Value::Null) => Some(Violation::required(field, "name is required")),
        Some(Value::String(name)) if name.is_empty() => {
            Some(Violation::required(field, "name is required"))
        }
        Some(Value::String(name)) if name.split('.').all(is_label_of_any_length) => None,
        Some(value @ Value::String(_)) => Some(Violation::invalid(field, value, SUBDOMAIN)),
        Some(other) => Some(Violation::wrong_type(field, other, "string")),
    }
}

fn check_namespace(metadata: &Map<String, Value>) -> Option<Violation> {
    let field = "metadata.namespace";
    match metadata.get("namespace") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if name.is_empty() => None,
        Some(value @ Value::String(name)) if name.len() > MAX_LABEL => Some(Violation::invalid(
            field,
            value,
            format!("must be no more than {MAX_LABEL} characters"),
        )),
        Some(Value::String(name)) if is_label_of_any_length(name) => None,
        Some(value @ Value::String(_)) => Some(Violation::invalid(field, value, LABEL)),
        Some(other) => Some(Violation::wrong_type(field, other, "string")),
    }
}

/// Labels and annotations are maps of texts; `"yes"`, `true` and `1` need quotes in YAML, which is the usual mistake.
fn check_texts(metadata: &Map<String, Value>, field: &str) -> Vec<Violation> {
    let path = format!("metadata.{field}");
    match metadata.get(field) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(texts)) => texts
            .iter()
            .filter(|(_, value)| !value.is_string())
            .map(|(name, value)| Violation::wrong_type(format!("{path}[{name}]"), value, "string"))
            .collect(),
        Some(other) => vec![Violation::wrong_type(path, other, "object")],
    }
}

fn is_label_of_any_length(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
