//! What the examples in `tests/data` cannot show: the values that come out, and mistakes that kubectl finds
//! before an API server sees them.

use serde_json::{Value, json};

use super::{admit, validate};

fn key(spec: &Value) -> Value {
    json!({
        "apiVersion": "sealward.dev/v1alpha1",
        "kind": "CustomerMasterKey",
        "metadata": {"name": "web"},
        "spec": spec,
    })
}

fn errors(object: &Value) -> Vec<String> {
    let violations = validate(object, None).expect_err("should be refused");
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn fills_in_the_defaults() {
    let object = admit(&key(&json!({"enabled": null, "rotationDays": null})), None).unwrap();
    assert_eq!(
        object["spec"],
        json!({
            "enabled": true,
            "pendingDeletionDays": 30,
            "custody": "Sidecar",
            "publicSealing": false,
            "maxStaleness": "24h",
        })
    );
}

#[test]
fn keeps_what_is_given() {
    let spec = json!({
        "description": "x",
        "enabled": false,
        "rotationDays": 7,
        "pendingDeletionDays": 8,
        "custody": "Operator",
        "publicSealing": false,
        "maxStaleness": "9m",
    });
    assert_eq!(admit(&key(&spec), None).unwrap()["spec"], spec);
}

#[test]
fn whole_numbers_become_integers() {
    let object = admit(&key(&json!({"rotationDays": 90.0})), None).unwrap();
    assert_eq!(object["spec"]["rotationDays"], json!(90));
}

#[test]
fn refuses_other_kinds_and_says_nothing_else_of_them() {
    for (object, expected) in [
        (json!([]), vec!["Invalid value: \"array\""]),
        (
            json!({"spec": 5}),
            vec![
                "apiVersion: Required value: must be sealward.dev/v1alpha1",
                "kind: Required value: must be CustomerMasterKey",
            ],
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "CustomerMasterKey"}),
            vec!["apiVersion: Invalid value: \"apps/v1\": must be sealward.dev/v1alpha1"],
        ),
        (
            json!({"apiVersion": "sealward.dev/v1alpha1", "kind": ["x"]}),
            vec!["kind: Invalid value: must be CustomerMasterKey"],
        ),
    ] {
        let errors = errors(&object);
        assert_eq!(errors.len(), expected.len(), "{errors:?}");
        for (error, expected) in errors.iter().zip(expected) {
            assert!(error.starts_with(expected), "{error}");
        }
    }
}

#[test]
fn refuses_bad_metadata() {
    for (metadata, expected) in [
        (
            json!(null),
            "metadata.name: Required value: name is required",
        ),
        (json!({}), "metadata.name: Required value: name is required"),
        (
            json!({"name": ""}),
            "metadata.name: Required value: name is required",
        ),
        (json!("web"), "metadata: Invalid value: \"string\""),
        (
            json!({"name": 5}),
            "metadata.name: Invalid value: \"integer\"",
        ),
        (
            json!({"name": "-web"}),
            "metadata.name: Invalid value: \"-web\"",
        ),
        (
            json!({"name": "web-"}),
            "metadata.name: Invalid value: \"web-\"",
        ),
        (
            json!({"name": "a..b"}),
            "metadata.name: Invalid value: \"a..b\"",
        ),
        (
            json!({"name": "../b"}),
            "metadata.name: Invalid value: \"../b\"",
        ),
        (
            json!({"name": "a/b"}),
            "metadata.name: Invalid value: \"a/b\"",
        ),
        (
            json!({"name": "wéb"}),
            "metadata.name: Invalid value: \"wéb\"",
        ),
        (
            json!({"name": "a", "namespace": "a.b"}),
            "metadata.namespace: Invalid value: \"a.b\"",
        ),
        (
            json!({"name": "a", "namespace": "n".repeat(64)}),
            "metadata.namespace: Invalid value",
        ),
        (
            json!({"name": "a", "namespace": false}),
            "metadata.namespace: Invalid value: \"boolean\"",
        ),
        (
            json!({"name": "a", "labels": []}),
            "metadata.labels: Invalid value: \"array\"",
        ),
        (
            json!({"name": "a", "annotations": {"sealward.dev/x": true}}),
            "metadata.annotations[sealward.dev/x]: Invalid value: \"boolean\"",
        ),
        (
            json!({"name": "a", "generation": "x"}),
            "metadata: Invalid value: ",
        ),
        (
            json!({"name": "a", "extra": 1}),
            "unknown field \"metadata.extra\"",
        ),
    ] {
        let mut object = key(&json!({}));
        object["metadata"] = metadata;
        let errors = errors(&object);
        // A name with dots also breaks the rule that it is one label.
        assert!(
            errors.iter().any(|error| error.starts_with(expected)),
            "{errors:?}, not {expected}"
        );
    }
}

#[test]
fn reports_everything_at_once() {
    let object = key(&json!({"rotationDays": 0, "pendingDeletionDays": 1, "custody": 5, "x": 1}));
    let errors = errors(&object);
    for expected in [
        "\"spec.x\"",
        "spec.rotationDays:",
        "spec.pendingDeletionDays:",
        "spec.custody:",
    ] {
        assert!(
            errors.iter().any(|error| error.contains(expected)),
            "{errors:?}"
        );
    }
}

#[test]
fn skips_rules_where_types_are_wrong() {
    let errors = errors(&key(&json!({"publicSealing": true, "enabled": "x"})));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].starts_with("spec.enabled:"), "{errors:?}");
}

#[test]
fn names_list_items_in_paths() {
    let mut object = key(&json!({}));
    object["status"] = json!({
        "versions": [{"version": 1, "createdAt": "2026-11-24T06:00:00Z"}, {"version": 0, "createdAt": "today", "x": 1}],
        "keyId": "no uuid",
    });
    let mut errors = errors(&object);
    errors.sort();
    assert_eq!(
        errors,
        [
            "status.keyId: Invalid value: \"no uuid\": status.keyId in body should match \
             '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'",
            "status.versions[1].createdAt: Invalid value: \"today\": status.versions[1].createdAt in body \
             must be of type date-time: \"today\"",
            "status.versions[1].version: Invalid value: 0: status.versions[1].version in body should be \
             greater than or equal to 1",
            "unknown field \"status.versions[1].x\"",
        ]
    );
}

#[test]
fn takes_a_null_status() {
    let mut object = key(&json!({}));
    object["status"] = Value::Null;
    assert!(validate(&object, None).is_ok());
}

#[test]
fn refuses_more_versions_than_there_can_be() {
    let mut object = key(&json!({}));
    let version = json!({"version": 1, "createdAt": "2026-11-24T06:00:00Z"});
    object["status"] = json!({ "versions": vec![version; 101] });
    assert_eq!(
        errors(&object),
        ["status.versions: Too many: 101: must have at most 100 items"]
    );
}

#[test]
fn judges_changes_against_the_stored_object_with_its_defaults() {
    let operator = key(&json!({"custody": "Operator"}));
    let silent = key(&json!({}));
    assert!(validate(&operator, Some(&silent)).is_ok());
    assert!(validate(&operator, Some(&operator)).is_ok());
    assert!(validate(&silent, Some(&silent)).is_ok());
    assert!(validate(&silent, Some(&operator)).is_err());
}

#[test]
fn cuts_long_values() {
    let errors = errors(&key(&json!({"custody": "x".repeat(10_000)})));
    assert!(errors[0].len() < 250, "{errors:?}");
}
