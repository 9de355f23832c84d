//! Load at a given rate, whatever the server does.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::closed::Crowd;
use crate::daemon::{LOAD_CPU, Pin};

/// Sends `rate` requests a second at even distances for `time`; gives the latencies, sorted.
///
/// A latency counts from when the request was to be sent. If all connections are busy then, the wait for one is part
/// of it: a server that stalls cannot hide how many requests would have come meanwhile.
pub(crate) fn load(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    rate: f64,
    time: Duration,
) -> Result<Vec<Duration>> {
    let _pin = Pin::to(LOAD_CPU)?;
    let mut crowd = Crowd::connect(address, requests)?;
    let mut idle: Vec<usize> = (0..crowd.connections.len()).collect();
    let mut intended = vec![Instant::now(); idle.len()];
    let mut waiting = VecDeque::new();
    let mut latencies = Vec::new();
    let distance = Duration::from_secs_f64(1.0 / rate);
    let started = Instant::now();
    let mut next = started;
    while next.duration_since(started) < time || idle.len() < intended.len() {
        let now = Instant::now();
        while next <= now && next.duration_since(started) < time {
            waiting.push_back(next);
            next += distance;
        }
        while let (Some(number), true) = (idle.last().copied(), !waiting.is_empty()) {
            idle.pop();
            intended[number] = waiting.pop_front().unwrap_or(now);
            crowd.connections[number].send()?;
        }
        // Without sleep, also because timers are late by more than what is measured.
        crowd.take(|number, _| {
            latencies.push(intended[number].elapsed());
            idle.push(number);
            Ok(())
        })?;
        ensure!(
            started.elapsed() < time * 3,
            "the server does not keep up with {rate:.0} requests/s"
        );
    }
    latencies.sort_unstable();
    Ok(latencies)
}
