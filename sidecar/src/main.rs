//! `sealward-sidecar`: flags → hardening → telemetry → `app::build` → run.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use prometheus_client::registry::Registry;
use sealward_runtime::clock::SystemClock;
use sealward_runtime::shutdown::Shutdown;
use sealward_runtime::{build_info, hardening, telemetry};
use sealward_sidecar::app::{self, Parts, TokenFile};
use sealward_sidecar::auth::CallerToken;
use sealward_sidecar::config::{Args, Config};
use sealward_sidecar::source::folder::FolderSource;

/// Enough for everything that runs on threads other than the first: reading a
/// data folder. The default of 2 MiB each would be locked memory for nothing.
const THREAD_STACK: usize = 512 * 1024;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    // Before any key is read.
    let hardening = hardening::apply();
    telemetry::init(args.log_format, &args.log)?;
    hardening.log();
    let mut registry = Registry::default();
    hardening.register(&mut registry);
    build_info::register(&mut registry, "sealward-sidecar");
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK)
        .max_blocking_threads(2)
        .build()
        .context("cannot start")?
        .block_on(run(&args, registry))
}

async fn run(args: &Args, registry: Registry) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signals().context("cannot handle signals")?;
    let clock = Arc::new(SystemClock);
    let source = FolderSource::open(&args.local_store, clock.clone())?;
    let app = app::build(Parts {
        config: Config::from(args),
        token: CallerToken::generate()?,
        token_file: Some(TokenFile {
            path: args.token_file.clone(),
            mode: args.token_file_mode,
        }),
        source: Arc::new(source),
        audit: Box::new(std::io::stdout()),
        clock,
        registry,
    })
    .await?;
    tracing::info!(
        api = ?app.api_addresses(),
        admin = ?app.admin_address(),
        token_file = %args.token_file.display(),
        "serving"
    );
    app.run(shutdown).await;
    Ok(())
}
