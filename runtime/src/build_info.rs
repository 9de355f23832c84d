//! What this build is, for logs, metrics and `--version`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The version of the workspace; all of Sealward's programs have the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    program: &'static str,
    version: &'static str,
}

/// Registers `sealward_build{program,version} 1`.
pub fn register(registry: &mut Registry, program: &'static str) {
    let family = Family::<Labels, Gauge>::default();
    family
        .get_or_create(&Labels {
            program,
            version: VERSION,
        })
        .set(1);
    registry.register("sealward_build", "Version of the running program", family);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metric_names_program_and_version() {
        let mut registry = Registry::default();
        register(&mut registry, "sealward-test");
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains(&format!(
            "sealward_build{{program=\"sealward-test\",version=\"{VERSION}\"}} 1"
        )));
    }
}
