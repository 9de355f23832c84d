//! The generated `OpenAPI` schema, judged by a JSON Schema validator.
//!
//! Of what `OpenAPI` v3 has over JSON Schema, structural schemas use `nullable` alone, and only our
//! `status` has it; `x-kubernetes-…` keywords are judged elsewhere or not needed.

use std::fmt::Write as _;
use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind as Kind};
use jsonschema::paths::{Location, LocationSegment};
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::violation::{Problem, Violation};
use crate::schema;

/// Judges an object whose defaults are filled in.
pub(super) fn check(object: &Value) -> Vec<Violation> {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            // The engine without backtracking, as in API servers.
            .with_pattern_options(PatternOptions::regex())
            .build(schema::customer_master_key())
            .expect("a structural schema is a JSON schema")
    });
    let nulls_allowed = |error: &ValidationError| {
        error.instance().is_null() && error.instance_path().as_str() == "/status"
    };
    VALIDATOR
        .iter_errors(object)
        .filter(|error| !nulls_allowed(error))
        .map(|error| violation(&error))
        .collect()
}

fn violation(error: &ValidationError) -> Violation {
    let field = field_path(error.instance_path());
    let value = error.instance();
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let separator = if field.is_empty() { "" } else { "." };
            Violation::required(format!("{field}{separator}{name}"), "")
        }
        Kind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(expected) => expected.to_string(),
                TypeKind::Multiple(_) => "another type".to_owned(),
            };
            Violation::wrong_type(field, value, &expected)
        }
        Kind::Enum { options } => {
            let problem = Problem::Unsupported {
                value: value.clone().into_owned(),
                supported: options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(as_text)
                    .collect(),
            };
            Violation::new(field, problem)
        }
        Kind::MaxLength { limit } => Violation::new(field, Problem::TooLong { limit: *limit }),
        Kind::MaxItems { limit } => {
            let actual = value.as_array().map_or(0, Vec::len);
            Violation::new(
                field,
                Problem::TooMany {
                    actual,
                    limit: *limit,
                },
            )
        }
        kind => {
            let detail = match kind {
                Kind::Minimum { limit } => {
                    format!("should be greater than or equal to {}", whole(limit))
                }
                Kind::Maximum { limit } => {
                    format!("should be less than or equal to {}", whole(limit))
                }
                Kind::Pattern { pattern } => format!("should match '{pattern}'"),
                Kind::Format { format } => format!("must be of type {format}: {value}"),
                _ => format!("is not allowed: {}", error.masked()),
            };
            let detail = format!("{field} in body {detail}");
            Violation::invalid(field, value, detail)
        }
    }
}

/// `/status/versions/0/version` as `status.versions[0].version`.
fn field_path(location: &Location) -> String {
    let mut path = String::new();
    for segment in location.segments() {
        match segment {
            LocationSegment::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
            LocationSegment::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
        }
    }
    path
}

fn as_text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Limits are doubles in Kubernetes' schemas; `1.0` reads better as `1`.
fn whole(limit: &Value) -> String {
    limit
        .as_f64()
        .map_or_else(|| limit.to_string(), |limit| limit.to_string())
}
