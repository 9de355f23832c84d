//! Which operation a request asks for. Pure: method and path in, decision out.

use hyper::Method;

use crate::error::{ApiError, Code};
use crate::source::SourceKind;

/// What this endpoint does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `encrypt-data`
    EncryptData,
    /// `decrypt-data`
    DecryptData,
    /// `re-encrypt`
    ReEncrypt,
    /// `create-datakey`
    CreateDatakey,
    /// `create-datakey-without-plaintext`
    CreateDatakeyWithoutPlaintext,
    /// `encrypt-datakey`
    EncryptDatakey,
    /// `decrypt-datakey`
    DecryptDatakey,
    /// `describe-key`
    DescribeKey,
    /// `list-keys`
    ListKeys,
    /// `gen-random`
    GenRandom,
    /// `GET /`: the versions of the API
    ListVersions,
    /// `GET /v1.0`: the one version
    ShowVersion,
}

impl Operation {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::EncryptData,
        Self::DecryptData,
        Self::ReEncrypt,
        Self::CreateDatakey,
        Self::CreateDatakeyWithoutPlaintext,
        Self::EncryptDatakey,
        Self::DecryptDatakey,
        Self::DescribeKey,
        Self::ListKeys,
        Self::GenRandom,
        Self::ListVersions,
        Self::ShowVersion,
    ];

    /// As in paths, audit lines and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EncryptData => "encrypt-data",
            Self::DecryptData => "decrypt-data",
            Self::ReEncrypt => "re-encrypt",
            Self::CreateDatakey => "create-datakey",
            Self::CreateDatakeyWithoutPlaintext => "create-datakey-without-plaintext",
            Self::EncryptDatakey => "encrypt-datakey",
            Self::DecryptDatakey => "decrypt-datakey",
            Self::DescribeKey => "describe-key",
            Self::ListKeys => "list-keys",
            Self::GenRandom => "gen-random",
            Self::ListVersions => "list-versions",
            Self::ShowVersion => "show-version",
        }
    }

    /// The one method that it has.
    pub const fn method(self) -> Method {
        match self {
            Self::ListVersions | Self::ShowVersion => Method::GET,
            _ => Method::POST,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        // The last two have no name in a path.
        Self::ALL[..10]
            .iter()
            .copied()
            .find(|operation| operation.name() == name)
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// An operation of ours, by any method.
    Here(Operation),
    /// An operation of the API that is done elsewhere.
    Elsewhere(Elsewhere),
    /// Nothing that the API knows.
    Unknown,
}

/// Operations that are done elsewhere, by where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    Create,
    Switch,
    Delete,
    Restore,
    Name,
    Describe,
    RotationPlan,
    Rotate,
    Permissions,
    Labels,
    Quotas,
    Never,
}

/// The path of a request decides; project ids are opaque.
pub(crate) fn route(path: &str) -> Route {
    let Some(path) = path.strip_prefix('/') else {
        return Route::Unknown;
    };
    let mut segments = path.split('/');
    let (Some(version), project, area) = (segments.next(), segments.next(), segments.next()) else {
        return Route::Unknown;
    };
    match (version, project, area) {
        ("", None, _) => Route::Here(Operation::ListVersions),
        ("v1.0", None | Some(""), None) => Route::Here(Operation::ShowVersion),
        ("v1.0", Some(_), Some("kms")) => {
            let rest: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
            in_kms(rest)
        }
        ("v1.0", Some(_), Some("keystores")) | ("v2", Some(_), Some("kms")) => {
            Route::Elsewhere(Elsewhere::Never)
        }
        _ => Route::Unknown,
    }
}

fn in_kms(path: [Option<&str>; 4]) -> Route {
    use Elsewhere::{
        Create, Delete, Describe, Labels, Name, Never, Permissions, Quotas, Restore, Rotate,
        RotationPlan, Switch,
    };
    let [Some(first), second, third, None] = path else {
        return Route::Unknown;
    };
    if let (Some(operation), None) = (Operation::of_name(first), second) {
        return Route::Here(operation);
    }
    Route::Elsewhere(match (first, second, third) {
        ("create-key", None, None) => Create,
        ("enable-key" | "disable-key", None, None) => Switch,
        ("schedule-key-deletion", None, None) => Delete,
        ("cancel-key-deletion", None, None) => Restore,
        ("update-key-alias" | "aliases", None, None) | ("alias", Some("associate"), None) => Name,
        ("update-key-description", None, None) => Describe,
        (
            "enable-key-rotation"
            | "disable-key-rotation"
            | "update-key-rotation-interval"
            | "get-key-rotation-status",
            None,
            None,
        ) => RotationPlan,
        ("rotate-on-demand", None, None) => Rotate,
        (
            "create-grant"
            | "revoke-grant"
            | "retire-grant"
            | "list-grants"
            | "list-retirable-grants"
            | "key-policies",
            None,
            None,
        )
        | ("key-policies", Some(_), None) => Permissions,
        ("tags", None, None)
        | (_, Some("tags"), _)
        | ("resource_instances", Some("action"), None) => Labels,
        ("user-instances" | "user-quotas", None, None) => Quotas,
        (
            "get-parameters-for-import"
            | "import-key-material"
            | "delete-imported-key-material"
            | "sign"
            | "verify"
            | "get-publickey"
            | "generate-mac"
            | "verify-mac"
            | "derive-shared-secret"
            | "create-rsa-datakey-pair"
            | "create-ec-datakey-pair"
            | "create-pin"
            | "access-points",
            None,
            None,
        )
        | ("datakey-capsule", Some("create" | "decrypt"), None)
        | ("access-points", Some(_), _) => Never,
        _ => return Route::Unknown,
    })
}

/// Turns a route into the operation to be done, or the refusal.
///
/// # Errors
/// KMS.0201 for what the API does not know, KMS.0215 for another method than the
/// operation's, KMS.0306 for what is done elsewhere, with any method.
pub(crate) fn decide(
    route: Route,
    method: &Method,
    query: Option<&str>,
    kind: SourceKind,
) -> Result<Operation, ApiError> {
    match route {
        Route::Here(operation) if *method != operation.method() => Err(ApiError::new(
            Code::Method,
            format!("{} is called with {}", operation.name(), operation.method()),
        )),
        // What is there and does nothing may be what the caller relies on.
        Route::Here(_) if query.is_some_and(|query| !query.is_empty()) => Err(ApiError::new(
            Code::UnknownOperation,
            "operations here take no query: put parameters into the body",
        )),
        Route::Here(operation) => Ok(operation),
        Route::Elsewhere(what) => Err(ApiError::new(Code::Elsewhere, what.hint(kind))),
        Route::Unknown => Err(ApiError::new(
            Code::UnknownOperation,
            "unknown URL: operations are POST /v1.0/PROJECT/kms/OPERATION",
        )),
    }
}

impl Elsewhere {
    /// Says where it is done.
    const fn hint(self, kind: SourceKind) -> &'static str {
        match (self, kind) {
            (Self::Create, SourceKind::Cluster) => {
                "keys are made with kubectl: apply a CustomerMasterKey"
            }
            (Self::Create, SourceKind::Folder) => {
                "keys are made in YAML: add a CustomerMasterKey to a file that sealward dev reads"
            }
            (Self::Switch, SourceKind::Cluster) => {
                "keys are enabled and disabled with kubectl: kubectl patch cmk NAME --type merge \
                 -p '{\"spec\":{\"enabled\":false}}'"
            }
            (Self::Switch, SourceKind::Folder) => {
                "keys are enabled and disabled in YAML: set spec.enabled in the file that sealward \
                 dev reads"
            }
            (Self::Delete, SourceKind::Cluster) => {
                "keys are deleted with kubectl: kubectl delete cmk NAME schedules it"
            }
            (Self::Delete, SourceKind::Folder) => {
                "keys are deleted with sealward: sealward delete NAME schedules it"
            }
            (Self::Restore, SourceKind::Cluster) => {
                "a deleted key is brought back with kubectl: apply the CustomerMasterKey again \
                 before its time is over"
            }
            (Self::Restore, SourceKind::Folder) => {
                "a deleted key is brought back with sealward: sealward restore NAME"
            }
            (Self::Name, SourceKind::Cluster) => {
                "a key has the name of its CustomerMasterKey for good; alias/NAMESPACE/NAME leads \
                 to it"
            }
            (Self::Name, SourceKind::Folder) => {
                "a key has the name that its YAML gives it for good; alias/NAMESPACE/NAME leads to \
                 it"
            }
            (Self::Describe, SourceKind::Cluster) => {
                "a description is set with kubectl: kubectl patch cmk NAME --type merge -p \
                 '{\"spec\":{\"description\":\"...\"}}'"
            }
            (Self::Describe, SourceKind::Folder) => {
                "a description is set in YAML: spec.description in the file that sealward dev reads"
            }
            (Self::RotationPlan, SourceKind::Cluster) => {
                "rotation is planned with kubectl: kubectl patch cmk NAME --type merge -p \
                 '{\"spec\":{\"rotationDays\":90}}'; kubectl get cmk NAME -o yaml shows its state"
            }
            (Self::RotationPlan, SourceKind::Folder) => {
                "rotation is planned in YAML: spec.rotationDays in the file that sealward dev reads"
            }
            (Self::Rotate, SourceKind::Cluster) => {
                "keys are rotated with kubectl: kubectl sealward rotate NAME"
            }
            (Self::Rotate, SourceKind::Folder) => {
                "keys are rotated in YAML: set the annotation sealward.dev/rotate-requested-at to \
                 the time in the file that sealward dev reads"
            }
            (Self::Permissions, SourceKind::Cluster) => {
                "permissions are given with RBAC: the verbs encrypt and decrypt on \
                 customermasterkeys/use"
            }
            (Self::Permissions, SourceKind::Folder) => {
                "local mode has no permissions: who can read the token file may use every key"
            }
            (Self::Labels, SourceKind::Cluster) => {
                "tags are labels of the CustomerMasterKey: kubectl label cmk NAME KEY=VALUE"
            }
            (Self::Labels, SourceKind::Folder) => {
                "tags are labels of the CustomerMasterKey, in the file that sealward dev reads"
            }
            (Self::Quotas, SourceKind::Cluster) => {
                "quotas are those of Kubernetes: kubectl get resourcequota"
            }
            (Self::Quotas, SourceKind::Folder) => "there are no quotas in local mode",
            (Self::Never, _) => {
                "Sealward does not offer this operation: its keys are symmetric, made by it alone, \
                 and used to encrypt and decrypt"
            }
        }
    }
}

#[cfg(test)]
mod tests;
