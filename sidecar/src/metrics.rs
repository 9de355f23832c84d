//! What Prometheus sees.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::error::Code;
use crate::routes::Operation;

/// Seconds. An answer takes some tens of microseconds; with a key to be fetched,
/// milliseconds to seconds.
const BUCKETS: [f64; 11] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0,
];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// The metrics of one endpoint.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    /// By [`Operation`], the last for requests that got to none. Looking one up
    /// takes a lock and a hash, which is why those of the usual case are here.
    succeeded: Vec<(Counter, Histogram)>,
    /// CMKs in the keyring.
    pub keys: Gauge,
    /// Connections that are open.
    pub connections: Gauge,
    /// Connections turned away because there were too many.
    pub connections_refused: Counter,
    /// Connections closed because a request did not arrive in time.
    pub connections_timed_out: Counter,
    /// Audit lines lost because nobody took them fast enough.
    pub audit_dropped: Counter,
}

impl Metrics {
    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<OperationLabels, Histogram, fn() -> Histogram>::new_with_constructor(|| {
                Histogram::new(BUCKETS)
            });
        let names = Operation::ALL
            .iter()
            .map(|operation| operation.name())
            .chain(["none"]);
        let succeeded = names
            .map(|operation| {
                let counter = requests.get_or_create_owned(&RequestLabels {
                    operation,
                    code: "OK",
                });
                (
                    counter,
                    durations.get_or_create_owned(&OperationLabels { operation }),
                )
            })
            .collect();
        let metrics = Self {
            requests: requests.clone(),
            succeeded,
            keys: Gauge::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            connections_timed_out: Counter::default(),
            audit_dropped: Counter::default(),
        };
        registry.register(
            "sealward_requests",
            "Requests by operation and result",
            requests,
        );
        registry.register_with_unit(
            "sealward_request_duration",
            "From the head of a request to its answer",
            Unit::Seconds,
            durations,
        );
        registry.register(
            "sealward_keys_loaded",
            "CMKs in memory",
            metrics.keys.clone(),
        );
        registry.register(
            "sealward_connections",
            "Open connections",
            metrics.connections.clone(),
        );
        registry.register(
            "sealward_connections_refused",
            "Connections turned away because there were too many",
            metrics.connections_refused.clone(),
        );
        registry.register(
            "sealward_connections_timed_out",
            "Connections closed because nothing, or not all of a request, came in time",
            metrics.connections_timed_out.clone(),
        );
        registry.register(
            "sealward_audit_dropped",
            "Audit lines lost because they were not taken fast enough",
            metrics.audit_dropped.clone(),
        );
        metrics
    }

    /// Counts one request.
    pub(crate) fn count(&self, operation: Option<Operation>, refused: Option<Code>, seconds: f64) {
        let at = operation.map_or(Operation::ALL.len(), |operation| operation as usize);
        let (succeeded, duration) = &self.succeeded[at];
        duration.observe(seconds);
        match refused {
            None => {
                succeeded.inc();
            }
            Some(code) => {
                let operation = operation.map_or("none", Operation::name);
                let labels = RequestLabels {
                    operation,
                    code: code.text(),
                };
                self.requests.get_or_create(&labels).inc();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_and_result() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.count(Some(Operation::DecryptData), None, 0.000_04);
        metrics.count(
            Some(Operation::DecryptData),
            Some(Code::BadCiphertext),
            0.001,
        );
        metrics.count(None, Some(Code::NoCredential), 0.001);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "sealward_requests_total{operation=\"decrypt-data\",code=\"OK\"} 1",
            "sealward_requests_total{operation=\"decrypt-data\",code=\"KMS.2201\"} 1",
            "sealward_requests_total{operation=\"none\",code=\"KMS.0301\"} 1",
            "sealward_request_duration_seconds_count{operation=\"decrypt-data\"} 2",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
