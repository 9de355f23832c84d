//! What can go wrong in a command, each with the status that it ends with.

use std::io;

use http::StatusCode;
use sealward_core::ContextError;
use sealward_operator::customer_master_key::ReconcileError;
use sealward_operator::local::LocalError;
use sealward_operator::store::StoreError;
use sealward_protocol::folder::FolderError;
use sealward_protocol::material::DocumentError;
use sealward_protocol::names::NameError;
use sealward_sidecar::auth::TokenError;

use crate::client::CallError;
use crate::dev::{DevError, ManifestsError};
use crate::endpoint::EndpointError;
use crate::exit::Exit;
use crate::file::{DraftError, FileError};
use crate::input::InputError;
use crate::output::OutputError;
use crate::shell::ManError;

/// Why a command failed. The message is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint or token cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A call gave no result.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Small input cannot be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// `--context` or `--aad` cannot be used.
    #[error("--context or --aad cannot be used")]
    Context(#[from] ContextError),
    /// A file was not encrypted or decrypted.
    #[error(transparent)]
    File(#[from] FileError),
    /// Standard output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// There is nothing to encrypt under.
    #[error("the endpoint has no keys; apply a CustomerMasterKey first")]
    NoKeys,
    /// It is not clear what to encrypt under.
    #[error("there is more than one key, so give one of them with --key: {names}")]
    ManyKeys {
        /// Which there are.
        names: String,
    },
    /// The man pages cannot be written.
    #[error(transparent)]
    Man(#[from] ManError),
    /// Local mode does not start, or does not go on.
    #[error(transparent)]
    Dev(#[from] DevError),
    /// A CMK cannot be deleted or restored.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// Not the name of a CMK.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A signal ended the command.
    #[error("stopped by a signal; no partial file is left")]
    Stopped(Exit),
    /// A system call outside of any file failed.
    #[error("the operating system refused")]
    System(#[from] io::Error),
}

impl Error {
    /// The status that the process ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Endpoint(error) => of_endpoint(error),
            Self::Call(error) => of_call(error),
            Self::Input(InputError::Read { source, .. })
            | Self::Output(OutputError(source))
            | Self::System(source) => Exit::of_io(source),
            Self::Input(_)
            | Self::Context(_)
            | Self::Name(_)
            | Self::NoKeys
            | Self::ManyKeys { .. } => Exit::Usage,
            Self::File(error) => of_file(error),
            Self::Man(error) => Exit::of_io(&error.source),
            Self::Dev(error) => of_dev(error),
            Self::Local(error) => of_local(error),
            Self::Stopped(exit) => *exit,
        }
    }
}

fn of_endpoint(error: &EndpointError) -> Exit {
    match error {
        EndpointError::Malformed(_) | EndpointError::NotLoopback(_) => Exit::Usage,
        EndpointError::TokenFile { source, .. }
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Exit::NoPermission
        }
        EndpointError::NoTokenFile(_)
        | EndpointError::TokenFile { .. }
        | EndpointError::NotAToken(_) => Exit::NoToken,
    }
}

fn of_call(error: &CallError) -> Exit {
    match error {
        CallError::Connect { .. } | CallError::Deadline { .. } | CallError::Broken { .. } => {
            Exit::Unavailable
        }
        // Whether damage is found here or by the endpoint makes no difference to who asked.
        CallError::Refused { code, .. } if code == "KMS.2201" => Exit::NotAuthentic,
        CallError::Refused { status, .. } if status.is_server_error() => Exit::Unavailable,
        CallError::Refused { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => {
            Exit::Unavailable
        }
        CallError::Refused { .. } => Exit::Refused,
        CallError::Unreadable { .. } => Exit::Failure,
    }
}

fn of_file(error: &FileError) -> Exit {
    match error {
        FileError::Input { source, .. }
        | FileError::Read { source, .. }
        | FileError::Write { source, .. } => Exit::of_io(source),
        FileError::Draft(error) => match error {
            DraftError::Exists(_) => Exit::OutputExists,
            DraftError::NotAFile(_) | DraftError::NoName(_) => Exit::Usage,
            DraftError::Create { source, .. } | DraftError::Publish { source, .. } => {
                Exit::of_io(source)
            }
        },
        FileError::NotEnveloped { .. }
        | FileError::CutShort { .. }
        | FileError::NotAuthentic { .. } => Exit::NotAuthentic,
        FileError::DataKey(_) | FileError::Seal { .. } | FileError::Ended { .. } => Exit::Failure,
    }
}

fn of_dev(error: &DevError) -> Exit {
    match error {
        DevError::Manifests(ManifestsError::Invalid(_)) => Exit::Manifest,
        DevError::Manifests(ManifestsError::Read { source, .. })
        | DevError::File { source, .. }
        | DevError::Token(TokenError::Write { source, .. })
        | DevError::Output(OutputError(source)) => Exit::of_io(source),
        DevError::Local(error) => of_local(error),
        DevError::Folder(error) => of_folder(error),
        DevError::InUse(_) => Exit::DataInUse,
        DevError::PortInUse { .. } => Exit::PortInUse,
        DevError::ReadToken(error) => of_endpoint(error),
        DevError::Silent(error) => of_call(error),
        DevError::Token(TokenError::Random(_)) | DevError::Build(_) | DevError::Ended => {
            Exit::Failure
        }
    }
}

fn of_local(error: &LocalError) -> Exit {
    match error {
        LocalError::Manifest { .. } | LocalError::Twice { .. } => Exit::Manifest,
        LocalError::Store(error)
        | LocalError::Reconcile {
            error: ReconcileError::Store(error),
            ..
        } => of_store(error),
        LocalError::RootKey(error) => of_root_key(error),
        LocalError::NoSuchKey { .. }
        | LocalError::AlreadyPending { .. }
        | LocalError::NotPending { .. }
        | LocalError::Destroyed { .. } => Exit::Refused,
        LocalError::Days { .. } => Exit::Usage,
        _ => Exit::Failure,
    }
}

/// There is none that can be used, unless the system refused to read or write it.
fn of_root_key(error: &dyn std::error::Error) -> Exit {
    let refused = error.source().and_then(|cause| cause.downcast_ref());
    refused.map_or(Exit::NoRootKey, Exit::of_io)
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Full { .. } => Exit::DiskFull,
        StoreError::ReadOnly { .. } | StoreError::Denied { .. } => Exit::NoPermission,
        StoreError::Locked { .. } => Exit::DataInUse,
        StoreError::Folder(error) => of_folder(error),
        StoreError::Io { error, .. } => Exit::of_io(error),
        StoreError::Exists { .. } | StoreError::Changed { .. } => Exit::Failure,
    }
}

fn of_folder(error: &FolderError) -> Exit {
    match error {
        FolderError::NotADataFolder { .. } | FolderError::OtherFormat { .. } => {
            Exit::OtherDataFormat
        }
        FolderError::NoRootKey { .. } | FolderError::RootKeyExposed { .. } => Exit::NoRootKey,
        FolderError::Document {
            error: DocumentError::Read(error),
            ..
        }
        | FolderError::List { error, .. } => Exit::of_io(error),
        _ => Exit::Failure,
    }
}
