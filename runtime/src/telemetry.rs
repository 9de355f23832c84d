//! Logs: to stderr, as text for people or as JSON for machines.

use std::str::FromStr;

use thiserror::Error;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    #[default]
    Json,
    /// For a terminal.
    Text,
}

impl FromStr for Format {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            other => Err(TelemetryError::Format(other.to_owned())),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The name of the format is not known.
    #[error("log format {0:?} is neither \"json\" nor \"text\"")]
    Format(String),
    /// The filter could not be parsed.
    #[error("log filter {filter:?} is not a list of target=level")]
    Filter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A subscriber was there already.
    #[error("logging was set up twice")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sends log lines of the process to stderr, filtered by `filter`: a level
/// (`info`), or a list such as `info,hyper=debug`.
///
/// Filters are target and level only: they need no regular expressions, whose
/// tables would be a good part of a sidecar's memory.
///
/// # Errors
/// A filter that does not parse; a second call.
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let targets = Targets::from_str(filter).map_err(|source| TelemetryError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let registry = Registry::default().with(targets);
    match format {
        Format::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        Format::Text => registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .try_init(),
    }
    .map_err(TelemetryError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_cannot_parse_by_name() {
        assert_eq!(
            "xml".parse::<Format>().unwrap_err().to_string(),
            "log format \"xml\" is neither \"json\" nor \"text\""
        );
        let error = init(Format::Json, "info=loud").unwrap_err().to_string();
        assert!(error.contains("\"info=loud\""), "{error}");
    }
}
