//! Fields that no schema knows: an API server asked to be strict refuses them.

use serde_json::Value;

use super::violation::{Problem, Violation};

/// Fields that every object has besides those of its schema. What is in metadata is judged in `metadata`.
const OF_EVERY_OBJECT: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Finds the fields of `object` that `schema`, the one of the whole kind, does not know.
pub(super) fn check(object: &Value, schema: &Value) -> Vec<Violation> {
    let mut violations = Vec::new();
    collect(object, schema, "", &mut violations);
    violations
}

fn collect(value: &Value, schema: &Value, path: &str, violations: &mut Vec<Violation>) {
    match value {
        Value::Object(fields) => {
            let Some(known) = schema.get("properties") else {
                return;
            };
            for (name, value) in fields {
                let path = match path {
                    "" if OF_EVERY_OBJECT.contains(&name.as_str()) => continue,
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                match known.get(name) {
                    Some(schema) => collect(value, schema, &path, violations),
                    None => violations.push(Violation::new(path, Problem::Unknown)),
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else {
                return;
            };
            for (index, item) in items.iter().enumerate() {
                collect(item, schema, &format!("{path}[{index}]"), violations);
            }
        }
        _ => {}
    }
}
