//! The CEL rules of the generated schema (`x-kubernetes-validations`).
//!
//! Of Kubernetes' CEL library this has what our rules use: the standard functions, `matches`, and `duration()`.
//! Whatever a rule uses beyond that is an error when it is judged, never a pass.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::{Context, ExecutionError, Program};
use serde::Deserialize;
use serde_json::Value;

use super::violation::Violation;
use crate::{duration, schema};

/// A rule, and the field that it stands on.
struct Rule {
    /// Names from the root; none for a rule on the whole object.
    path: Vec<String>,
    source: String,
    message: String,
    program: Program,
    /// Judges a change: skipped where there is nothing to compare with.
    is_transition: bool,
}

/// A rule as it is written in a schema. Kubernetes has more fields; one that this does not know must not
/// be passed over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: String,
    message: Option<String>,
}

/// Judges an object whose types are right and whose defaults are filled in.
pub(super) fn check(object: &Value, old: Option<&Value>) -> Vec<Violation> {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| collect(schema::customer_master_key()));
    RULES
        .iter()
        .filter_map(|rule| rule.check(object, old))
        .collect()
}

impl Rule {
    fn check(&self, object: &Value, old: Option<&Value>) -> Option<Violation> {
        let value = self.find(object)?;
        let old = old.and_then(|old| self.find(old));
        if self.is_transition && old.is_none() {
            return None;
        }
        let detail = match judge(&self.program, value, old) {
            Ok(cel::Value::Bool(true)) => return None,
            Ok(cel::Value::Bool(false)) => self.message.clone(),
            Ok(other) => format!("rule {:?} gave {other:?}, not a boolean", self.source),
            Err(error) => format!("{error} evaluating rule: {}", self.source),
        };
        Some(Violation::invalid(self.path.join("."), value, detail))
    }

    /// The value that the rule stands on. Rules are not judged on what is absent or null.
    fn find<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.path
            .iter()
            .try_fold(object, |value, name| value.get(name))
            .filter(|value| !value.is_null())
    }
}

/// Finds and compiles the rules in `schema`, which is generated: a rule that does not compile is a bug that
/// every test of this crate finds.
fn collect(schema: &Value) -> Vec<Rule> {
    let mut rules = Vec::new();
    walk(schema, &mut Vec::new(), &mut rules);
    rules
}

fn walk(schema: &Value, path: &mut Vec<String>, rules: &mut Vec<Rule>) {
    if let Some(written) = schema.get("x-kubernetes-validations") {
        let written =
            Vec::<Written>::deserialize(written).expect("rules have `rule` and `message` only");
        rules.extend(written.into_iter().map(|written| compile(written, path)));
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, schema) in properties {
            path.push(name.clone());
            walk(schema, path, rules);
            path.pop();
        }
    }
}

fn compile(written: Written, path: &[String]) -> Rule {
    let program = Program::compile(&written.rule).expect("rules of the generated schema are CEL");
    Rule {
        path: path.to_vec(),
        message: written
            .message
            .unwrap_or_else(|| format!("failed rule: {}", written.rule)),
        is_transition: program.references().has_variable("oldSelf"),
        source: written.rule,
        program,
    }
}

fn judge(
    program: &Program,
    value: &Value,
    old: Option<&Value>,
) -> Result<cel::Value, ExecutionError> {
    let mut context = Context::default();
    context
        .add_function("duration", milliseconds)
        .map_err(|error| ExecutionError::function_error("duration", error))?;
    context.add_variable_from_value("self", to_cel(value));
    if let Some(old) = old {
        context.add_variable_from_value("oldSelf", to_cel(old));
    }
    program.execute(&context)
}

/// CEL's `duration()`, as far as our rules go: the notation that API fields use, as an integer, which compares as
/// durations do.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the form in which CEL passes arguments"
)]
fn milliseconds(text: Arc<String>) -> Result<i64, ExecutionError> {
    duration::parse(&text)
        .and_then(|duration| i64::try_from(duration.as_millis()).ok())
        .ok_or_else(|| {
            ExecutionError::function_error("duration", format!("{text:?} is not a duration"))
        })
}

/// JSON as CEL sees it in an API server: whole numbers are `int`, never `uint`.
fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => cel::Value::Int(whole),
            None => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_cel).collect::<Vec<_>>().into(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), to_cel(value)))
            .collect::<HashMap<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The walk goes through properties only: a rule elsewhere (in list items, say) must not be lost silently.
    #[test]
    fn finds_every_rule_of_the_schema() {
        let schema = schema::customer_master_key();
        let written = schema.to_string().matches("\"rule\":").count();
        assert_eq!(collect(schema).len(), written);
        assert_eq!(
            written, 5,
            "two on the name, custody, publicSealing, maxStaleness"
        );
    }

    #[test]
    fn a_rule_that_cannot_be_judged_does_not_pass() {
        for (source, value) in [
            ("quantity(self) > 1", json!("1k")),
            ("duration(self) > duration('1h')", json!("soon")),
            ("self.missing", json!({})),
            ("self", json!("not a boolean")),
        ] {
            let written = Written {
                rule: source.to_owned(),
                message: None,
            };
            let violation = compile(written, &[]).check(&value, None).unwrap();
            assert!(violation.to_string().contains(source), "{violation}");
        }
    }

    #[test]
    fn whole_numbers_are_int() {
        assert_eq!(to_cel(&json!(7)), cel::Value::Int(7));
        assert_eq!(to_cel(&json!(1.5)), cel::Value::Float(1.5));
    }
}
