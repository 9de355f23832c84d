//! From exec of the sidecar to its first answer.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context as _, Result, ensure};

use crate::Effort;
use crate::connection::Connection;
use crate::stats::quantile;
use crate::table::{Row, Table, Verdict};
use crate::testbed::{Plan, Testbed};

/// Between two attempts to connect.
const RETRY: Duration = Duration::from_micros(200);
/// Only bounds how long a broken sidecar can hold up a run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts the sidecar again and again.
pub(crate) fn measure(bed: &Testbed, effort: Effort, table: &mut Table) -> Result<()> {
    let plans: Result<Vec<_>> = (0..effort.starts).map(|_| bed.another(&[])).collect();
    let mut times = Vec::new();
    for plan in plans? {
        times.push(first_answer(bed, &plan)?);
    }
    times.sort_unstable();
    let millis = [0.5, 0.99].map(|q| quantile(&times, q).as_secs_f64() * 1e3);
    table.add(Row {
        what: format!(
            "exec of the sidecar to its first decrypt, median / p99 of {}",
            times.len()
        ),
        ours: format!("{:.1} / {:.1} ms", millis[0], millis[1]),
        other: String::new(),
        ratio: None,
        verdict: Verdict::at_most(50.0, " ms", millis[1]),
    });
    Ok(())
}

/// The time from starting the process to the end of its first answer.
fn first_answer(bed: &Testbed, plan: &Plan) -> Result<Duration> {
    let mut command = Command::new(&plan.command[0]);
    command
        .args(&plan.command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let started = Instant::now();
    let _stopped = Stopped(command.spawn().context("cannot start the sidecar")?);
    loop {
        match attempt(bed, plan) {
            Ok(Some(at)) => return Ok(at.duration_since(started)),
            Ok(None) => {}
            Err(error) => return Err(error.context("the sidecar does not answer")),
        }
        ensure!(started.elapsed() < PATIENCE, "the sidecar does not listen");
        thread::sleep(RETRY);
    }
}

/// When the answer was there; `None` while nobody listens or there is no token to show.
fn attempt(bed: &Testbed, plan: &Plan) -> Result<Option<Instant>> {
    let Ok(token) = fs::read_to_string(&plan.token_file) else {
        return Ok(None);
    };
    let request = bed.request(plan.address, &token);
    let Ok(connection) = Connection::open(plan.address, request) else {
        return Ok(None);
    };
    connection.call()?;
    Ok(Some(Instant::now()))
}

/// A process that is killed when this is dropped.
struct Stopped(std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
