//! `sealward dev`: local mode's planner and the endpoint of the sidecar on one data folder, in one process.

mod announce;
mod keeper;
mod lock;
mod manifests;
mod watch;

use std::fs::{File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealward_operator::local::LocalError;
use sealward_protocol::folder::{FolderError, FolderLayout};
use sealward_runtime::clock::SystemClock;
use sealward_runtime::hardening::Hardening;
use sealward_runtime::shutdown::Shutdown;
use sealward_runtime::{build_info, telemetry};
use sealward_sidecar::app::{self, App, BuildError, Parts, TokenFile};
use sealward_sidecar::auth::{CallerToken, TokenError};
use sealward_sidecar::config::Config;
use sealward_sidecar::source::folder::FolderSource;

use crate::args::DevArgs;
use crate::client::{CallError, Client};
use crate::endpoint::{Endpoint, EndpointError, Token};
use crate::error::Error;
use crate::output::{Output, OutputError};
use announce::Ready;
use keeper::Keeper;
use watch::Watch;

pub use manifests::ManifestsError;

/// Which log lines are for the eyes of whoever runs this.
const LOG: &str = "warn";

/// Why local mode does not start, or does not go on.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The YAML cannot be used.
    #[error(transparent)]
    Manifests(#[from] ManifestsError),
    /// The data folder or a CMK cannot be used.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The data folder cannot be served from.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Another `sealward dev` serves this folder.
    #[error("another `sealward dev` is serving {}; stop it, or name another folder with --data", .0.display())]
    InUse(PathBuf),
    /// A file in the data folder cannot be opened.
    #[error("cannot open {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A port is taken.
    #[error(
        "{address} is in use by another process; choose another port with {flag}, or {flag} 0 for any"
    )]
    PortInUse {
        /// The address.
        address: SocketAddr,
        /// The flag that chooses it.
        flag: &'static str,
    },
    /// The endpoint cannot be built.
    #[error(transparent)]
    Build(BuildError),
    /// The token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token cannot be read back.
    #[error(transparent)]
    ReadToken(#[from] EndpointError),
    /// The endpoint does not answer itself.
    #[error("the endpoint does not answer")]
    Silent(#[source] CallError),
    /// Nobody reads standard output any more.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The endpoint ended, and nobody asked it to.
    #[error("the endpoint ended by itself; the log above says why")]
    Ended,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever [`Error`] says; a wrong YAML only at the start.
pub async fn dev(arguments: DevArgs, hardening: Hardening, output: Output) -> Result<(), Error> {
    // Whatever happens from here on, a signal ends it in good order.
    let shutdown = Shutdown::on_signals()?;
    init_log(output);
    // Callers are told of files in it, and run in other folders.
    let data = std::path::absolute(&arguments.data)?;
    let layout = FolderLayout::new(&data);
    let mut keeper = Keeper::open(arguments.manifests.clone(), &data)?;
    let keys = keeper.pass().await?;
    let _serving = lock::serve_alone(&data)?;
    let clock = Arc::new(SystemClock);
    let source = FolderSource::open(&data, clock.clone()).map_err(DevError::Folder)?;
    let app = build(&arguments, &layout, &source, clock, &hardening).await?;

    let endpoint = Endpoint::from(first(app.api_addresses())?);
    let health = Endpoint::from(first(app.admin_address().as_slice())?);
    let (token, root_key) = (layout.token(), layout.root_key());
    let ready = Ready::new(&endpoint, &health, data, token, &root_key, keys);
    let serving = app.run(shutdown.clone());
    let watching = async {
        announce(&endpoint, &ready, output).await?;
        Watch::new(keeper, source, output).run(&shutdown).await;
        Ok::<_, DevError>(())
    };
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {
            if shutdown.is_requested() { Ok(()) } else { Err(DevError::Ended.into()) }
        }
        watched = watching => {
            shutdown.trigger();
            serving.await;
            Ok(watched?)
        }
    }
}

fn init_log(output: Output) {
    let format = if output.is_json() {
        telemetry::Format::Json
    } else {
        telemetry::Format::Text
    };
    // It fails only where there is a log already, which then serves.
    let _ = telemetry::init(format, LOG);
}

async fn build(
    arguments: &DevArgs,
    layout: &FolderLayout,
    source: &FolderSource,
    clock: Arc<SystemClock>,
    hardening: &Hardening,
) -> Result<App, DevError> {
    let mut config = Config::new(sealward_crds::manifest::DEFAULT_NAMESPACE);
    config.port = arguments.port;
    config.subject.pod = String::from("sealward dev");
    config.admin_address = Some(arguments.admin_address());
    let mut registry = prometheus_client::registry::Registry::default();
    hardening.register(&mut registry);
    build_info::register(&mut registry, "sealward");
    let parts = Parts {
        config,
        token: CallerToken::generate()?,
        token_file: Some(TokenFile {
            path: layout.token(),
            mode: 0o600,
        }),
        source: Arc::new(source.clone()),
        audit: Box::new(open_audit(layout.path())?),
        clock,
        registry,
    };
    app::build(parts).await.map_err(|error| match &error {
        BuildError::Api(bind) if bind.source.kind() == io::ErrorKind::AddrInUse => {
            DevError::PortInUse {
                address: bind.address,
                flag: "--port",
            }
        }
        BuildError::Admin(bind) if bind.source.kind() == io::ErrorKind::AddrInUse => {
            DevError::PortInUse {
                address: bind.address,
                flag: "--admin-port",
            }
        }
        _ => DevError::Build(error),
    })
}

fn open_audit(data: &Path) -> Result<File, DevError> {
    let path = data.join("audit.log");
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| DevError::File { path, source })
}

fn first(addresses: &[SocketAddr]) -> Result<SocketAddr, DevError> {
    addresses.first().copied().ok_or(DevError::Ended)
}

/// Says where the endpoint is, once it answers as a caller will ask.
async fn announce(endpoint: &Endpoint, ready: &Ready, output: Output) -> Result<(), DevError> {
    let token = Token::read(&ready.token_file)?;
    let client = Client::new(endpoint.clone(), token);
    client.list_keys().await.map_err(DevError::Silent)?;
    ready.print(output)?;
    Ok(())
}
