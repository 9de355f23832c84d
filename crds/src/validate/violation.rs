//! What is wrong with an object, in the words of kubectl.

use std::fmt;

use serde_json::Value;

/// One thing that is wrong with an object. Displays as kubectl prints it, on one line:
/// `spec.rotationDays: Invalid value: 0: …`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// The path of the field, such as `spec.rotationDays` or `status.versions[0].version`. Empty
    /// where it is the object as a whole.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such field.
    Unknown,
    /// The field is missing.
    Required {
        /// What is missing, where the path does not say it; or empty.
        detail: String,
    },
    /// The value has the wrong type.
    Type {
        /// The type it has, in the words of JSON Schema.
        actual: &'static str,
        /// What it should be.
        detail: String,
    },
    /// The value is not allowed.
    Invalid {
        /// The value; absent for an object or a list.
        value: Option<Value>,
        /// Why not, and what is allowed.
        detail: String,
    },
    /// The value is none of those that there are.
    Unsupported {
        /// The value.
        value: Value,
        /// Those that there are.
        supported: Vec<String>,
    },
    /// The text has more than `limit` characters.
    TooLong {
        /// How many are allowed. (kubectl calls them bytes; they are characters.)
        limit: u64,
    },
    /// The list has more than `limit` items.
    TooMany {
        /// How many there are.
        actual: usize,
        /// How many are allowed.
        limit: u64,
    },
}

impl Violation {
    pub(crate) fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self {
            field: field.into(),
            problem,
        }
    }

    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let detail = detail.to_owned();
        Self::new(field, Problem::Required { detail })
    }

    pub(crate) fn invalid(
        field: impl Into<String>,
        value: &Value,
        detail: impl Into<String>,
    ) -> Self {
        let value = (!value.is_object() && !value.is_array()).then(|| value.clone());
        let detail = detail.into();
        Self::new(field, Problem::Invalid { value, detail })
    }

    /// The value at `field` should be of type `expected`, a name of JSON Schema.
    pub(crate) fn wrong_type(field: impl Into<String>, value: &Value, expected: &str) -> Self {
        let field = field.into();
        let actual = type_name(value);
        let detail = format!("{field} in body must be of type {expected}: {actual:?}");
        Self::new(field, Problem::Type { actual, detail })
    }

    /// Whether rules cannot be judged on such an object: an API server skips them then.
    pub(crate) fn hides_rules(&self) -> bool {
        matches!(
            self.problem,
            Problem::Required { .. }
                | Problem::Type { .. }
                | Problem::TooLong { .. }
                | Problem::TooMany { .. }
        )
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        if let Problem::Unknown = self.problem {
            return write!(formatter, "unknown field {field:?}");
        }
        if !field.is_empty() {
            write!(formatter, "{field}: ")?;
        }
        match &self.problem {
            Problem::Unknown => Ok(()),
            Problem::Required { detail } if detail.is_empty() => {
                formatter.write_str("Required value")
            }
            Problem::Required { detail } => write!(formatter, "Required value: {detail}"),
            Problem::Type { actual, detail } => {
                write!(formatter, "Invalid value: {actual:?}: {detail}")
            }
            Problem::Invalid {
                value: None,
                detail,
            } => write!(formatter, "Invalid value: {detail}"),
            Problem::Invalid {
                value: Some(value),
                detail,
            } => write!(formatter, "Invalid value: {}: {detail}", Short(value)),
            Problem::Unsupported { value, supported } => {
                write!(
                    formatter,
                    "Unsupported value: {}: supported values: ",
                    Short(value)
                )?;
                for (index, name) in supported.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(formatter, "{separator}{name:?}")?;
                }
                Ok(())
            }
            Problem::TooLong { limit } => {
                write!(formatter, "Too long: may not be more than {limit} bytes")
            }
            Problem::TooMany { actual, limit } => {
                write!(
                    formatter,
                    "Too many: {actual}: must have at most {limit} items"
                )
            }
        }
    }
}

/// A value as JSON, cut so that an error stays readable.
struct Short<'a>(&'a Value);

impl fmt::Display for Short<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LIMIT: usize = 100;
        let json = self.0.to_string();
        match json.char_indices().nth(LIMIT) {
            Some((end, _)) => write!(formatter, "{}…", &json[..end]),
            None => formatter.write_str(&json),
        }
    }
}

/// The type of a value in the words of JSON Schema.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
