//! Puts the endpoint together and runs it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use sealward_runtime::{clock::SystemClock, shutdown::Shutdown};
//! use sealward_sidecar::{app::{self, Parts, TokenFile}, auth::CallerToken, config::Config};
//! use sealward_sidecar::source::folder::FolderSource;
//!
//! let clock = Arc::new(SystemClock);
//! let source = FolderSource::open("sealward-data", clock.clone())?;
//! let app = app::build(Parts {
//!     config: Config::new("default"),
//!     token: CallerToken::generate()?,
//!     token_file: Some(TokenFile { path: "sealward-data/token".into(), mode: 0o600 }),
//!     source: Arc::new(source.clone()),
//!     audit: Box::new(std::io::sink()),
//!     clock,
//!     registry: Default::default(),
//! })
//! .await?;
//! println!("{:?}", app.api_addresses());
//! app.run(Shutdown::on_signals()?).await;
//! # Ok(()) }
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use sealward_runtime::admin::{self, AdminServer};
use sealward_runtime::clock::Clock;
use sealward_runtime::readiness::{Gate, Readiness};
use sealward_runtime::shutdown::Shutdown;
use thiserror::Error;

use crate::audit::{Audit, Sink};
use crate::auth::{CallerToken, TokenError};
use crate::body::BodyReader;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::request_id::RequestIds;
use crate::server::{self, BindError, Connections, Listeners};
use crate::source::KeySource;

/// How long audit lines have to be written at the end.
const AUDIT_DEADLINE: Duration = Duration::from_secs(5);

/// What an endpoint is made of.
pub struct Parts {
    /// Ports and bounds.
    pub config: Config,
    /// What callers show.
    pub token: CallerToken,
    /// Where callers read it: written once the port is ours, so that a second
    /// process does not take away the token of the first.
    pub token_file: Option<TokenFile>,
    /// Where keys come from. [`App::run`] runs it.
    pub source: Arc<dyn KeySource>,
    /// Where audit lines go.
    pub audit: Sink,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Metrics that are there already; the endpoint adds its own.
    pub registry: Registry,
}

/// The file from which callers read the token.
#[derive(Clone, Debug)]
pub struct TokenFile {
    /// Its path; the directory must exist.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
}

/// Why the endpoint could not be built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The endpoint's port is taken.
    #[error(transparent)]
    Api(#[from] BindError),
    /// The admin address is taken.
    #[error(transparent)]
    Admin(#[from] admin::BindError),
    /// The token could not be written.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The thread that writes audit lines could not be started.
    #[error("cannot start the thread that writes audit lines")]
    Audit(#[source] std::io::Error),
}

/// An endpoint that is bound and not yet serving.
pub struct App {
    listeners: Listeners,
    api: Vec<SocketAddr>,
    admin: Option<AdminServer>,
    endpoint: Arc<Endpoint>,
    keyring: Arc<Keyring>,
    source: Arc<dyn KeySource>,
    bounds: Connections,
    gate: Gate,
}

/// Binds the ports and puts everything in its place. Clients that connect from
/// now on wait until [`App::run`].
///
/// # Errors
/// [`BuildError`], naming the address that is taken.
///
/// # Panics
/// Outside a tokio runtime with I/O and time.
pub async fn build(parts: Parts) -> Result<App, BuildError> {
    let Parts {
        config,
        token,
        token_file,
        source,
        audit,
        clock,
        mut registry,
    } = parts;
    let listeners = Listeners::bind(config.port)?;
    let api = listeners.addresses()?;
    let metrics = Arc::new(Metrics::register(&mut registry));
    let readiness = Readiness::new();
    let gate = readiness.gate("keys");
    let admin = match config.admin_address {
        Some(address) => Some(AdminServer::bind(address, readiness, Arc::new(registry)).await?),
        None => None,
    };
    if let Some(TokenFile { path, mode }) = token_file {
        token.write_to(&path, mode)?;
    }
    let keyring = Arc::new(Keyring::new(
        Arc::clone(&source),
        Arc::clone(&clock),
        config.keys,
        metrics.keys.clone(),
    ));
    let audit = Audit::start(audit, &config.subject, metrics.audit_dropped.clone())
        .map_err(BuildError::Audit)?;
    let endpoint = Arc::new(Endpoint {
        operations: Operations {
            keyring: Arc::clone(&keyring),
            namespace: config.subject.namespace,
        },
        kind: source.kind(),
        token,
        clock,
        bodies: BodyReader::new(),
        request_ids: RequestIds::new(),
        audit,
        metrics,
    });
    let bounds = config.connections;
    Ok(App {
        listeners,
        api,
        admin,
        endpoint,
        keyring,
        source,
        bounds,
        gate,
    })
}

impl App {
    /// Where the endpoint listens: 127.0.0.1, and `[::1]` where there is IPv6.
    pub fn api_addresses(&self) -> &[SocketAddr] {
        &self.api
    }

    /// Where health and metrics are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(AdminServer::address)
    }

    /// Serves until `shutdown`, then answers what has begun, and writes the audit
    /// lines that are left. Health is served to the end.
    pub async fn run(self, shutdown: Shutdown) {
        let Self {
            listeners,
            admin,
            endpoint,
            keyring,
            source,
            bounds,
            gate,
            ..
        } = self;
        let end = Shutdown::new();
        let admin = admin.map(|admin| tokio::spawn(admin.run(end.clone())));
        let running = tokio::spawn({
            let end = end.clone();
            async move { source.run(end).await }
        });
        let following = tokio::spawn({
            let end = end.clone();
            async move { keyring.follow(&gate, end).await }
        });

        server::serve(listeners, Arc::clone(&endpoint), bounds, shutdown).await;

        end.trigger();
        for task in [Some(running), Some(following), admin]
            .into_iter()
            .flatten()
        {
            if let Err(error) = task.await {
                tracing::error!(%error, "a part of the endpoint ended before its time");
            }
        }
        // Waiting for a thread would keep others on this one from running.
        let closing = tokio::task::spawn_blocking(move || endpoint.audit.close(AUDIT_DEADLINE));
        if let Err(error) = closing.await {
            tracing::error!(%error, "closing the audit log failed");
        }
    }
}
