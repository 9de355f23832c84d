//! Peak memory of the sidecar.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Effort;
use crate::closed::{self, Crowd};
use crate::connection::Connection;
use crate::daemon::Daemon;
use crate::endpoint::CONNECTIONS;
use crate::table::{Row, Table, Verdict};
use crate::testbed::Testbed;

/// Connections at once.
const CROWD: usize = 2000;
/// Files that this program has open besides.
const FILES: u64 = 100;
const MIB: f64 = 1024.0 * 1024.0;

/// Measures the sidecar as it is by default, after load and after [`CROWD`] connections, and one that admits them all.
pub(crate) fn measure(bed: &Testbed, effort: Effort, table: &mut Table) -> Result<()> {
    let time = Duration::from_secs_f64(effort.round);
    // Some load, where no other figure has made any.
    let requests = bed.requests(bed.address, CONNECTIONS);
    closed::load(&bed.sidecar, bed.address, requests, time)?;
    add(&bed.sidecar, "after that load", true, table)?;

    let request = bed.requests(bed.address, 1).remove(0);
    let open = crowd(bed.address, &request, time)?;
    let what = format!("after {CROWD} connections at once, {open} of them admitted");
    add(&bed.sidecar, &what, true, table)?;

    let plan = bed.another(&["--max-connections", "2048"])?;
    let (sidecar, token) = plan.start()?;
    let open = crowd(plan.address, &bed.request(plan.address, &token), time)?;
    let what = format!(
        "after {CROWD} connections at once, {open} of them admitted (--max-connections 2048)"
    );
    add(&sidecar, &what, false, table)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn add(sidecar: &Daemon, what: &str, demanded: bool, table: &mut Table) -> Result<()> {
    let peak = sidecar.peak_memory()? as f64 / MIB;
    table.add(Row {
        what: format!("peak memory of the sidecar {what}"),
        ours: format!("{peak:.2} MiB"),
        other: String::new(),
        ratio: None,
        verdict: if demanded {
            Verdict::at_most(8.0, " MiB", peak)
        } else {
            Verdict::Information
        },
    });
    Ok(())
}

/// Opens [`CROWD`] connections and sends on every second of those that are admitted, for `time`, while the others
/// stay idle. Returns how many were admitted.
fn crowd(address: std::net::SocketAddr, request: &[u8], time: Duration) -> Result<usize> {
    allow_files(CROWD as u64 + FILES)?;
    let connections: Result<Vec<_>, _> = (0..CROWD)
        .map(|_| Connection::open(address, request.to_vec()))
        .collect();
    let connections = connections.context("cannot open that many connections")?;
    // Those beyond the cap are told so, and closed.
    thread::sleep(Duration::from_millis(500));
    for connection in &connections {
        connection.stop_waiting()?;
    }
    let mut admitted: Vec<_> = connections
        .into_iter()
        .filter(Connection::is_quiet)
        .collect();
    let open = admitted.len();
    ensure!(
        open >= CONNECTIONS,
        "the sidecar admitted {open} connections only"
    );
    let idle = admitted.split_off(open / 2);
    let mut sending = Crowd::of(admitted)?;
    sending.send_all()?;
    let answers = sending.answer_for(time)?;
    ensure!(answers.requests > 0, "the sidecar answered nobody");
    ensure!(
        idle.iter().all(Connection::is_quiet),
        "the sidecar closed idle connections"
    );
    Ok(open)
}

/// Raises the soft limit on open files of this process, if it is lower.
fn allow_files(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit {
            current: Some(count),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised)
            .with_context(|| format!("the limit on open files is below {count}"))?;
    }
    Ok(())
}
