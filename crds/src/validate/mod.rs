//! What an API server does with an object before it stores it.
//!
//! In its order: type and metadata, unknown fields (strict, as kubectl asks for), defaults, the
//! schema, then the CEL rules. Two things are left to a real API server, because nothing in local
//! mode depends on them: the syntax of label and annotation names, and *ratcheting*, by which an update may
//! keep an invalid value that was stored before.

mod defaults;
mod metadata;
mod openapi;
mod rules;
mod unknown;
mod violation;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::schema;
pub use violation::{Problem, Violation};

/// Checks `new` as an API server would check a CMK that is created, or, where `old` is given, one that
/// replaces `old`. See [`admit`].
///
/// # Errors
///
/// Everything that is wrong with the object; never empty.
pub fn validate(new: &Value, old: Option<&Value>) -> Result<(), Vec<Violation>> {
    admit(new, old).map(drop)
}

/// Checks `new` as [`validate`] does, and returns it with the defaults filled in.
///
/// `old` is the object as it is stored, for the rules about changes.
///
/// # Errors
///
/// Everything that is wrong with the object; never empty. As with an API server, CEL rules are judged
/// only where types, lengths and required fields are right.
pub fn admit(new: &Value, old: Option<&Value>) -> Result<Value, Vec<Violation>> {
    let schema = schema::customer_master_key();
    metadata::check_type(new)?;

    let mut violations = metadata::check(new);
    violations.extend(unknown::check(new, schema));

    let mut object = new.clone();
    defaults::apply(&mut object, schema);
    violations.extend(openapi::check(&object));

    if !violations.iter().any(Violation::hides_rules) {
        let old = old.map(|old| {
            let mut old = old.clone();
            defaults::apply(&mut old, schema);
            old
        });
        violations.extend(rules::check(&object, old.as_ref()));
    }
    if violations.is_empty() {
        Ok(object)
    } else {
        Err(violations)
    }
}
