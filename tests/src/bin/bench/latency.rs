//! Latency at half the highest rate.

use std::time::Duration;

use anyhow::Result;

use crate::Effort;
use crate::endpoint::CONNECTIONS;
use crate::paced;
use crate::stats::{Spread, quantile};
use crate::table::{Row, Table, Verdict};
use crate::testbed::Testbed;

/// Measures both servers at `rate` requests per second.
pub(crate) fn measure(bed: &Testbed, effort: Effort, rate: f64, table: &mut Table) -> Result<()> {
    let time = Duration::from_secs_f64(effort.round);
    let addresses = [bed.address, bed.bare_address];
    let mut all = [Vec::new(), Vec::new()];
    let mut p99s = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        for side in 0..2 {
            let requests = bed.requests(addresses[side], CONNECTIONS);
            let latencies = paced::load(addresses[side], requests, rate, time)?;
            p99s[side].push(quantile(&latencies, 0.99).as_secs_f64());
            all[side].extend(latencies);
        }
    }
    for latencies in &mut all {
        latencies.sort_unstable();
    }
    let shown = |latencies: &[Duration]| {
        let micros = [0.5, 0.99, 1.0].map(|q| quantile(latencies, q).as_micros());
        format!("{} / {} / {} µs", micros[0], micros[1], micros[2])
    };
    table.add(Row {
        what: format!("  p50 / p99 / max at half the highest rate, {rate:.0} /s"),
        ours: shown(&all[0]),
        other: shown(&all[1]),
        ratio: Some(Spread::of_ratios(&p99s[0], &p99s[1])),
        verdict: Verdict::below(1.0, " ms", quantile(&all[0], 0.99).as_secs_f64() * 1e3),
    });
    Ok(())
}
