//! Defaults, as an API server fills them in.

use serde_json::Value;

/// Fills in the defaults of `schema`. A null in a field that cannot be null counts as absent. A whole number
/// written with a point (`90.0`) becomes the integer that it is.
pub(super) fn apply(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let Some(Value::Object(properties)) = schema.get("properties") else {
                return;
            };
            for (name, schema) in properties {
                if fields.get(name) == Some(&Value::Null) && !is_nullable(schema) {
                    fields.remove(name);
                }
                if let Some(default) = schema.get("default") {
                    fields.entry(name).or_insert_with(|| default.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    apply(value, schema);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    apply(item, schema);
                }
            }
        }
        Value::Number(number) if schema.get("type") == Some(&Value::from("integer")) => {
            if let Some(whole) = number.as_f64().and_then(as_whole) {
                *value = Value::from(whole);
            }
        }
        _ => {}
    }
}

fn is_nullable(schema: &Value) -> bool {
    schema.get("nullable") == Some(&Value::Bool(true))
}

/// The integer that `number` is, if it is one that a double holds exactly.
fn as_whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(
        clippy::cast_possible_truncation,
        reason = "has no fraction and is in range"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}
