//! As much load as a server takes: every connection sends its next request as soon as it has an answer.
//!
//! The generator never sleeps, since a sleeping thread has to be woken, and the CPU that wakes it pays for that: in a
//! virtual machine, microseconds. The slower of two servers would pay more often, for nothing that it does itself.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;

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
    /// How long the generator had something to do.
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
    let (cpu, started) = (server.cpu_time()?, Instant::now());
    let Answers { requests, idle } = crowd.answer_for(time)?;
    let elapsed = started.elapsed();
    Ok(Round {
        requests,
        elapsed,
        server: server.cpu_time()?.saturating_sub(cpu),
        generator: elapsed.saturating_sub(idle),
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

    /// Takes what has come, without waiting, and calls `answered` with each connection whose answer is complete: at
    /// once, so that the server has something to do while the next one is taken. False if nothing had come.
    pub(crate) fn take(
        &mut self,
        mut answered: impl FnMut(usize, &mut Connection) -> Result<()>,
    ) -> Result<bool> {
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, room, Some(&Timespec::default())).context("cannot wait")?;
        for event in &self.events {
            let number = usize::try_from(event.data.u64())?;
            let connection = &mut self.connections[number];
            if connection.receive()? {
                answered(number, connection)?;
            }
        }
        Ok(!self.events.is_empty())
    }

    /// Sends a request on each connection.
    pub(crate) fn send_all(&mut self) -> Result<()> {
        self.connections.iter_mut().try_for_each(Connection::send)
    }

    /// Takes answers for `time`, each followed by the next request.
    pub(crate) fn answer_for(&mut self, time: Duration) -> Result<Answers> {
        let started = Instant::now();
        let (mut requests, mut idle, mut last) = (0, Duration::ZERO, Duration::ZERO);
        while last < time {
            let busy = self.take(|_, connection| {
                requests += 1;
                connection.send()
            })?;
            let now = started.elapsed();
            if !busy {
                idle += now.saturating_sub(last);
            }
            last = now;
        }
        Ok(Answers { requests, idle })
    }
}

/// What came in some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers {
    /// Requests that were answered.
    pub(crate) requests: u64,
    /// How long nothing had come on any connection.
    idle: Duration,
}
