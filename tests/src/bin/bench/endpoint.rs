//! Requests per second, against the bare server.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;

use crate::Effort;
use crate::closed::{self, Round};
use crate::stats::Spread;
use crate::table::{Row, Table, Verdict};
use crate::testbed::Testbed;

/// Keep-alive connections.
pub(crate) const CONNECTIONS: usize = 16;

/// Below this the server waits for its load, and what is measured is the generator.
const SATURATED: f64 = 0.95;

/// How callers show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    Token,
    Signature,
}

/// Measures with the token in a header. Returns the sidecar's highest rate, in requests per second.
pub(crate) fn measure_token(
    bed: &Testbed,
    effort: Effort,
    table: Option<&mut Table>,
) -> Result<f64> {
    // Where only the rate is asked for, a few rounds tell it.
    let rounds = if table.is_some() { effort.rounds } else { 3 };
    let sides = load(bed, Credential::Token, effort, rounds)?;
    if let Some(table) = table {
        let demanded = |ratio: f64| Verdict::at_least(0.75, " ×", ratio);
        report(&sides, "token in a header", demanded, table);
    }
    Ok(sides.sidecar.iter().map(Round::rate).fold(0.0, f64::max))
}

/// Measures with requests signed as the SDKs do.
pub(crate) fn measure_signed(bed: &Testbed, effort: Effort, table: &mut Table) -> Result<()> {
    let sides = load(bed, Credential::Signature, effort, effort.rounds)?;
    report(
        &sides,
        "signed as by the SDKs",
        |_| Verdict::Information,
        table,
    );
    Ok(())
}

/// The rounds of both sides, in pairs.
#[derive(Debug)]
struct Sides {
    sidecar: Vec<Round>,
    bare: Vec<Round>,
    /// Audit lines that the sidecar dropped meanwhile.
    dropped: u64,
}

fn load(bed: &Testbed, credential: Credential, effort: Effort, rounds: usize) -> Result<Sides> {
    let time = Duration::from_secs_f64(effort.round);
    let requests = |address: SocketAddr| match credential {
        Credential::Token => bed.requests(address, CONNECTIONS),
        Credential::Signature => bed.signed_requests(address, CONNECTIONS),
    };
    let sidecar = || closed::load(&bed.sidecar, bed.address, requests(bed.address), time);
    let bare_address = bed.bare_address;
    let bare = || closed::load(&bed.bare, bare_address, requests(bare_address), time);
    let mut sides = Sides {
        sidecar: Vec::new(),
        bare: Vec::new(),
        dropped: 0,
    };
    let dropped = bed.dropped_audit_lines()?;
    for round in 0..rounds {
        // Whoever goes second profits from whatever the first one warmed up: take turns.
        if round % 2 == 0 {
            sides.sidecar.push(sidecar()?);
            sides.bare.push(bare()?);
        } else {
            sides.bare.push(bare()?);
            sides.sidecar.push(sidecar()?);
        }
    }
    sides.dropped = bed.dropped_audit_lines()? - dropped;
    Ok(sides)
}

fn report(sides: &Sides, how: &str, verdict: impl Fn(f64) -> Verdict, table: &mut Table) {
    let rates = |rounds: &[Round]| rounds.iter().map(Round::rate).collect::<Vec<_>>();
    let (ours, other) = (rates(&sides.sidecar), rates(&sides.bare));
    let ratio = Spread::of_ratios(&ours, &other);
    let median = |values: &[f64]| Spread::of(values.iter().copied()).median;
    table.add(Row {
        what: format!("decrypt-data of 4 KB, {how}, against bare hyper"),
        ours: format!("{:.0} /s", median(&ours)),
        other: format!("{:.0} /s", median(&other)),
        ratio: Some(ratio),
        verdict: verdict(ratio.median),
    });
    let cpu = |rounds: &[Round]| rounds.iter().map(cpu_per_request).collect::<Vec<_>>();
    let (ours, other) = (cpu(&sides.sidecar), cpu(&sides.bare));
    table.add(Row {
        what: "  CPU time of the server per request".to_owned(),
        ours: format!("{:.1} µs", median(&ours)),
        other: format!("{:.1} µs", median(&other)),
        ratio: Some(Spread::of_ratios(&ours, &other)),
        verdict: Verdict::Information,
    });
    let share = |rounds: &[Round], of: fn(&Round) -> Duration| {
        let shares = rounds.iter();
        Spread::of(shares.map(|round| of(round).as_secs_f64() / round.elapsed.as_secs_f64()))
    };
    let servers = [&sides.sidecar, &sides.bare].map(|rounds| share(rounds, |round| round.server));
    let load = [&sides.sidecar, &sides.bare].map(|rounds| share(rounds, |round| round.generator));
    table.add(Row {
        what: "  busy: server / load generator".to_owned(),
        ours: format!(
            "{:.0} % / {:.0} %",
            servers[0].median * 100.0,
            load[0].median * 100.0
        ),
        other: format!(
            "{:.0} % / {:.0} %",
            servers[1].median * 100.0,
            load[1].median * 100.0
        ),
        ratio: None,
        verdict: Verdict::Information,
    });
    if sides.dropped > 0 {
        table.note(format!(
            "WARNING: {how}: the sidecar dropped {} audit lines, so its rate is that of a sidecar without them",
            sides.dropped
        ));
    }
    if servers.iter().any(|server| server.median < SATURATED) {
        table.note(format!(
            "WARNING: with {how}, a server was less than {:.0} % busy: its rate may be that of the load generator",
            SATURATED * 100.0
        ));
    }
}

/// Microseconds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn cpu_per_request(round: &Round) -> f64 {
    round.server.as_secs_f64() * 1e6 / round.requests.max(1) as f64
}
