//! The flags of `sealward-sidecar`, and what they become.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use sealward_runtime::telemetry;

use crate::audit::Subject;
use crate::connection::Deadlines;
use crate::keyring::Bounds;
use crate::server::Connections;

/// The port of the localhost endpoint, unless another is named.
pub const API_PORT: u16 = 7325;

/// How many connections may be open at once, unless another number is set. One that is sending costs about
/// 19 KB, and all of them together must leave the process below 8 MiB.
pub const MAX_CONNECTIONS: u32 = 128;

/// Where health and metrics are, unless somewhere else: on all addresses of the
/// pod, since kubelet and Prometheus come from outside.
pub const ADMIN_ADDRESS: &str = "0.0.0.0:7326";

/// Flags of `sealward-sidecar`.
#[derive(Debug, Parser)]
#[command(
    name = "sealward-sidecar",
    version,
    about = "Serves the localhost endpoint with which an application encrypts and decrypts",
    after_help = "Audit lines go to standard output, logs to standard error.\n\
                  The endpoint listens on loopback addresses only."
)]
pub struct Args {
    /// Data folder of local mode from which keys are served
    #[arg(long, value_name = "DIR", env = "SEALWARD_LOCAL_STORE")]
    pub local_store: PathBuf,

    /// Port of the endpoint, on loopback addresses
    #[arg(long, default_value_t = API_PORT, env = "SEALWARD_PORT")]
    pub port: u16,

    /// Address of health and metrics
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN_ADDRESS, env = "SEALWARD_ADMIN_ADDRESS")]
    pub admin_address: SocketAddr,

    /// File into which the callers' token is written; made anew at each start
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/run/sealward/auth/token",
        env = "SEALWARD_TOKEN_FILE"
    )]
    pub token_file: PathBuf,

    /// Mode of the token file, octal
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = parse_mode, env = "SEALWARD_TOKEN_FILE_MODE")]
    pub token_file_mode: u32,

    /// Namespace of the pod: that of alias/NAME, and for audit lines
    #[arg(long, default_value = "default", value_parser = parse_namespace, env = "SEALWARD_NAMESPACE")]
    pub namespace: String,

    /// Name of the pod, for audit lines
    #[arg(long, default_value = "", env = "SEALWARD_POD_NAME")]
    pub pod_name: String,

    /// `ServiceAccount` of the pod, for audit lines
    #[arg(long, default_value = "", env = "SEALWARD_SERVICE_ACCOUNT")]
    pub service_account: String,

    /// How many connections may be open at once
    #[arg(long, value_name = "NUMBER", default_value_t = MAX_CONNECTIONS, value_parser = clap::value_parser!(u32).range(1..=65_536), env = "SEALWARD_MAX_CONNECTIONS")]
    pub max_connections: u32,

    /// How long keys may be used, in seconds, when the data folder cannot be read
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(300..=2_592_000), env = "SEALWARD_MAX_STALENESS")]
    pub max_staleness: u64,

    /// What is logged: a level, or a list of target=level
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "SEALWARD_LOG"
    )]
    pub log: String,

    /// How it is logged: json or text
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "json",
        env = "SEALWARD_LOG_FORMAT"
    )]
    pub log_format: telemetry::Format,
}

/// What the endpoint is configured by.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port on loopback addresses; 0 takes a free one.
    pub port: u16,
    /// Address of health and metrics; `None`: there are none.
    pub admin_address: Option<SocketAddr>,
    /// Who uses the endpoint, for audit lines. Its namespace is that of `alias/NAME`.
    pub subject: Subject,
    /// Bounds on connections.
    pub connections: Connections,
    /// Bounds on keys.
    pub keys: Bounds,
}

impl Config {
    /// The defaults, for an endpoint in this namespace: a free port, no admin server.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            port: 0,
            admin_address: None,
            subject: Subject {
                namespace: namespace.into(),
                ..Subject::default()
            },
            connections: Connections {
                max: MAX_CONNECTIONS,
                deadlines: Deadlines {
                    request: Duration::from_secs(10),
                    idle: Duration::from_secs(90),
                },
                drain: Duration::from_secs(10),
            },
            keys: Bounds {
                keys: 1024,
                staleness: Duration::from_hours(24),
                // Less than a request has.
                load_deadline: Duration::from_secs(5),
            },
        }
    }
}

impl From<&Args> for Config {
    fn from(args: &Args) -> Self {
        let mut config = Self::new(&args.namespace);
        config.port = args.port;
        config.admin_address = Some(args.admin_address);
        config.subject.pod.clone_from(&args.pod_name);
        config
            .subject
            .service_account
            .clone_from(&args.service_account);
        config.connections.max = args.max_connections;
        config.keys.staleness = Duration::from_secs(args.max_staleness);
        config
    }
}

fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        // Callers must not be able to change it, and the owner must be able to read it.
        Ok(mode) if mode & !0o644 == 0 && mode & 0o400 != 0 => Ok(mode),
        _ => Err("is not an octal mode of read permissions such as 0600, 0440 or 0444".to_owned()),
    }
}

fn parse_namespace(text: &str) -> Result<String, String> {
    sealward_protocol::names::KeyName::new(text, "x")
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, String> {
        let all = ["sealward-sidecar", "--local-store", "data"]
            .iter()
            .chain(args);
        Args::try_parse_from(all).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_those_of_the_design() {
        let args = parse(&[]).unwrap();
        let config = Config::from(&args);
        assert_eq!(config.port, 7325);
        assert_eq!(config.admin_address.unwrap().port(), 7326);
        assert_eq!(config.connections.max, 128);
        assert_eq!(config.keys.staleness, Duration::from_hours(24));
        assert_eq!(args.token_file_mode, 0o600);
    }

    #[test]
    fn there_is_no_way_to_listen_elsewhere() {
        for flag in ["--address", "--listen", "--host", "--bind"] {
            assert!(parse(&[flag, "0.0.0.0"]).is_err(), "{flag}");
        }
    }

    #[test]
    fn refuses_values_by_the_name_of_their_flag() {
        for (flag, value) in [
            ("--token-file-mode", "0666"),
            ("--token-file-mode", "4600"),
            ("--token-file-mode", "rw"),
            ("--namespace", "Shop"),
            ("--max-connections", "0"),
            ("--max-staleness", "299"),
            ("--port", "65536"),
            ("--log-format", "xml"),
            ("--admin-address", "7326"),
        ] {
            let error = parse(&[flag, value]).unwrap_err();
            assert!(error.contains(flag), "{flag} {value}: {error}");
        }
        assert_eq!(
            parse(&["--token-file-mode", "0444"])
                .unwrap()
                .token_file_mode,
            0o444
        );
    }
}
