//! As much load as a server takes: every connection sends its next request as soon as it has an answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, clock_gettime};

use crate::connection::Connection;
use crate::daemon::{Daemon, LOAD_CPU, Pin};

/// Before anything is counted: caches, branch predictors and socket buffers settle.
const WARM_UP: Duration = Duration::from_millis(200);

/// What one round of load gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the server.
    pub(crate) server: Duration,
    /// CPU time of this thread.
    pub(crate) generator: Duration,
}

impl Round {
    /// Requests per second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

/// Loads a server for `time`, with a connection for each of `requests`.
pub(crate) fn load(
    server: &Daemon,
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    time: Duration,
) -> Result<Round> {
    let _pin = Pin::to(LOAD_CPU)?;
    let mut crowd = Crowd::connect(address, requests)?;
    crowd.send_all()?;
    crowd.answer_for(WARM_UP)?;
    let (cpu, own, started) = (server.cpu_time()?, own_time(), Instant::now());
    let requests = crowd.answer_for(time)?;
    let elapsed = started.elapsed();
    Ok(Round {
        requests,
        elapsed,
        server: server.cpu_time()?.saturating_sub(cpu),
        generator: own_time().saturating_sub(own),
    })
}

/// Connections that are waited on together.
pub(crate) struct Crowd {
    pub(crate) connections: Vec<Connection>,
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Crowd {
    /// Opens a connection for each of `requests`.
    pub(crate) fn connect(address: SocketAddr, requests: Vec<Vec<u8>>) -> Result<Self> {
        let connections: Result<_, _> = requests
            .into_iter()
            .map(|request| Connection::open(address, request))
            .collect();
        Self::of(connections.with_context(|| format!("cannot connect to {address}"))?)
    }

    /// Of connections that nothing is under way on.
    pub(crate) fn of(connections: Vec<Connection>) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, connection) in connections.iter().enumerate() {
            connection.stop_waiting()?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, connection, data, EventFlags::IN)?;
        }
        Ok(Self {
            events: Vec::with_capacity(connections.len()),
            connections,
            epoll,
        })
    }

    /// Waits for connections that something has come on, up to `timeout`, and gives those whose answer is complete.
    pub(crate) fn answered(&mut self, timeout: Duration, into: &mut Vec<usize>) -> Result<()> {
        into.clear();
        self.events.clear();
        let timeout = rustix::time::Timespec::try_from(timeout)?;
        let room = rustix::buffer::spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, room, Some(&timeout)).context("cannot wait")?;
        for event in &self.events {
            let number = usize::try_from(event.data.u64())?;
            if self.connections[number].receive()? {
                into.push(number);
            }
        }
        Ok(())
    }

    /// Sends a request on each connection.
    pub(crate) fn send_all(&mut self) -> Result<()> {
        self.connections.iter_mut().try_for_each(Connection::send)
    }

    /// Takes answers for `time`, each followed by the next request, and returns how many.
    pub(crate) fn answer_for(&mut self, time: Duration) -> Result<u64> {
        let started = Instant::now();
        let (mut count, mut answered) = (0, Vec::new());
        while let Some(left) = time.checked_sub(started.elapsed()) {
            self.answered(left, &mut answered)?;
            count += answered.len() as u64;
            for number in &answered {
                self.connections[*number].send()?;
            }
        }
        Ok(count)
    }
}

fn own_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
