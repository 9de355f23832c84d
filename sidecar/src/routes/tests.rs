use super::*;

/// Every path that the SDK of 3.1.219 or the API reference has, and that is not ours.
const ELSEWHERE: &[&str] = &[
    "kms/create-key",
    "kms/enable-key",
    "kms/disable-key",
    "kms/schedule-key-deletion",
    "kms/cancel-key-deletion",
    "kms/update-key-alias",
    "kms/update-key-description",
    "kms/enable-key-rotation",
    "kms/disable-key-rotation",
    "kms/update-key-rotation-interval",
    "kms/get-key-rotation-status",
    "kms/rotate-on-demand",
    "kms/create-grant",
    "kms/revoke-grant",
    "kms/retire-grant",
    "kms/list-grants",
    "kms/list-retirable-grants",
    "kms/get-parameters-for-import",
    "kms/import-key-material",
    "kms/delete-imported-key-material",
    "kms/KEY/tags",
    "kms/KEY/tags/NAME",
    "kms/KEY/tags/action",
    "kms/tags",
    "kms/resource_instances/action",
    "kms/user-instances",
    "kms/user-quotas",
    "kms/aliases",
    "kms/alias/associate",
    "kms/access-points",
    "kms/access-points/ID",
    "kms/access-points/ID/enable",
    "kms/access-points/ID/disable",
    "kms/access-points/ID/get-privatekey",
    "kms/datakey-capsule/create",
    "kms/datakey-capsule/decrypt",
    "kms/key-policies",
    "kms/key-policies/ID",
    "kms/generate-mac",
    "kms/verify-mac",
    "kms/sign",
    "kms/verify",
    "kms/get-publickey",
    "kms/derive-shared-secret",
    "kms/create-rsa-datakey-pair",
    "kms/create-ec-datakey-pair",
    "kms/create-pin",
    "keystores",
    "keystores/ID",
    "keystores/ID/enable",
    "keystores/ID/disable",
];

fn decided(method: &Method, path: &str) -> Result<Operation, &'static str> {
    decide(route(path), method, None, SourceKind::Cluster).map_err(|error| error.code().text())
}

#[test]
fn every_operation_has_one_method() {
    for operation in &Operation::ALL[..10] {
        let path = format!("/v1.0/p/kms/{}", operation.name());
        assert_eq!(decided(&Method::POST, &path), Ok(*operation));
        for method in [
            Method::GET,
            Method::PUT,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
        ] {
            assert_eq!(decided(&method, &path), Err("KMS.0215"), "{method} {path}");
        }
    }
    for (path, operation) in [
        ("/", Operation::ListVersions),
        ("/v1.0", Operation::ShowVersion),
        ("/v1.0/", Operation::ShowVersion),
    ] {
        assert_eq!(decided(&Method::GET, path), Ok(operation), "{path}");
        assert_eq!(decided(&Method::POST, path), Err("KMS.0215"), "{path}");
    }
}

#[test]
fn what_is_done_elsewhere_is_never_unknown_whatever_the_method() {
    for path in ELSEWHERE {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let path = format!("/v1.0/p/{path}");
            assert_eq!(decided(&method, &path), Err("KMS.0306"), "{method} {path}");
        }
    }
    assert_eq!(decided(&Method::GET, "/v2/p/kms/regions"), Err("KMS.0306"));
    assert_eq!(
        decided(&Method::POST, "/v2/p/kms/keys/KEY/replicate"),
        Err("KMS.0306")
    );
}

#[test]
fn what_the_api_does_not_know_is_unknown() {
    for path in [
        "",
        "//",
        "/v1.0/p",
        "/v1.0/p/kms",
        "/v1.0/p/kms/",
        "/v1.0/p/kms/decrypt",
        "/v1.0/p/kms/decrypt-data/",
        "/v1.0/p/kms/decrypt-data/x",
        "/v1.0/p/kms/list-versions",
        "/v1.0/p/kms/create-key/x",
        "/v1.0/p/kms/a/b/c/d",
        "/v1.0/p/iam/decrypt-data",
        "/v1/p/kms/decrypt-data",
        "/v3/p/kms/decrypt-data",
        "/metrics",
        "/v1.0/a/b/kms/decrypt-data",
    ] {
        assert_eq!(decided(&Method::POST, path), Err("KMS.0201"), "{path:?}");
    }
}

#[test]
fn project_ids_are_opaque() {
    for project in [
        "0123456789abcdef0123456789abcdef",
        "%7Bproject_id%7D",
        "team-a%2Fprod",
        "",
    ] {
        let path = format!("/v1.0/{project}/kms/gen-random");
        assert_eq!(
            decided(&Method::POST, &path),
            Ok(Operation::GenRandom),
            "{project}"
        );
    }
}

#[test]
fn a_query_is_refused() {
    let decided = |query| {
        decide(
            route("/v1.0/p/kms/gen-random"),
            &Method::POST,
            Some(query),
            SourceKind::Cluster,
        )
    };
    assert_eq!(decided("a=b").unwrap_err().code(), Code::UnknownOperation);
    assert!(decided("").is_ok());
}

#[test]
fn hints_depend_on_who_decides_about_the_keys() {
    let hint = |path: &str, kind| {
        let error = decide(route(path), &Method::POST, None, kind).unwrap_err();
        error.message().to_owned()
    };
    for (operation, cluster, folder) in [
        (
            "rotate-on-demand",
            "kubectl sealward rotate",
            "sealward.dev/rotate-requested-at",
        ),
        ("disable-key", "kubectl patch cmk", "spec.enabled"),
        (
            "schedule-key-deletion",
            "kubectl delete cmk",
            "sealward delete",
        ),
        ("cancel-key-deletion", "apply", "sealward restore"),
    ] {
        let path = format!("/v1.0/p/kms/{operation}");
        assert!(
            hint(&path, SourceKind::Cluster).contains(cluster),
            "{operation}"
        );
        let local = hint(&path, SourceKind::Folder);
        assert!(
            local.contains(folder) && !local.contains("kubectl"),
            "{local}"
        );
    }
}
