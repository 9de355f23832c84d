//! The accept loop of the localhost endpoint.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use sealward_runtime::shutdown::Shutdown;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::{self, Deadlines, End};
use crate::endpoint::{Endpoint, refusal};
use crate::error::{ApiError, Code};
use crate::metrics::Metrics;

/// Connections that the kernel holds until they are accepted. Those beyond the cap
/// are accepted at once, so this only covers bursts.
const BACKLOG: u32 = 1024;

/// How often another port is tried where any will do and IPv6 has it taken.
const PORT_TRIES: usize = 16;

/// The port of the endpoint cannot be had.
#[derive(Debug, Error)]
#[error("cannot listen on {address}; is another process using the port?")]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

/// The listeners, one per family, on loopback addresses and nothing else: there is
/// no way to say another address.
pub(crate) struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Binds the port on 127.0.0.1, and on `[::1]` where there is IPv6. Port 0 takes
    /// a free one, the same for both.
    pub(crate) fn bind(port: u16) -> Result<Self, BindError> {
        let mut tries = PORT_TRIES;
        loop {
            let first = listen((Ipv4Addr::LOCALHOST, port).into())?;
            let address = local_address(&first)?;
            let second: SocketAddr = (Ipv6Addr::LOCALHOST, address.port()).into();
            tries -= 1;
            match listen(second) {
                Ok(second) => return Ok(Self(vec![first, second])),
                Err(error) if lacks_ipv6(&error.source) => return Ok(Self(vec![first])),
                Err(error) if port != 0 || tries == 0 => return Err(error),
                Err(_) => {}
            }
        }
    }

    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>, BindError> {
        self.0.iter().map(local_address).collect()
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    socket
        .and_then(|socket| {
            // A port whose last connections are in TIME-WAIT is free.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        })
        .map_err(|source| BindError { address, source })
}

fn local_address(listener: &TcpListener) -> Result<SocketAddr, BindError> {
    listener.local_addr().map_err(|source| {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        BindError { address, source }
    })
}

/// No such family in the kernel, or no such address in this network namespace.
fn lacks_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// How many may be open. Further ones are told so and closed.
    pub max: u32,
    /// How long a client may take.
    pub deadlines: Deadlines,
    /// How long requests that are being answered may take after shutdown began.
    pub drain: Duration,
}

/// Serves until `shutdown`, then lets the connections come to an end, but not for ever.
pub(crate) async fn serve(
    listeners: Listeners,
    endpoint: Arc<Endpoint>,
    bounds: Connections,
    shutdown: Shutdown,
) {
    let slots = Arc::new(Semaphore::new(bounds.max as usize));
    let accepting: Vec<_> = listeners
        .0
        .into_iter()
        .map(|listener| {
            let acceptor = Acceptor {
                endpoint: Arc::clone(&endpoint),
                slots: Arc::clone(&slots),
                bounds,
                shutdown: shutdown.clone(),
                busy: busy_answer(),
            };
            tokio::spawn(acceptor.run(listener))
        })
        .collect();
    drop(endpoint);
    for task in accepting {
        if let Err(error) = task.await {
            tracing::error!(%error, "accepting connections ended");
        }
    }
    // All slots are free when all connections have ended.
    if tokio::time::timeout(bounds.drain, slots.acquire_many(bounds.max))
        .await
        .is_err()
    {
        tracing::warn!("connections were cut at the end of the time for shutdown");
    }
}

struct Acceptor {
    endpoint: Arc<Endpoint>,
    slots: Arc<Semaphore>,
    bounds: Connections,
    shutdown: Shutdown,
    busy: Vec<u8>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.shutdown.requested() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => self.accepted(stream),
                // The client went away before we came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors or memory. The connection stays in the queue,
                    // so trying again at once would only burn time.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn accepted(&self, stream: TcpStream) {
        let metrics = &self.endpoint.metrics;
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            metrics.connections_refused.inc();
            // A socket that was just made has room for this much; if not, the client
            // sees a connection that was closed. Nothing waits for it.
            let _ = stream.try_write(&self.busy);
            return;
        };
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let open = Open::new(slot, metrics);
        let (endpoint, shutdown) = (Arc::clone(&self.endpoint), self.shutdown.clone());
        let deadlines = self.bounds.deadlines;
        tokio::spawn(async move {
            let end = connection::serve(stream, endpoint, deadlines, shutdown).await;
            if end == End::TimedOut {
                open.timed_out.inc();
            }
            drop(open);
        });
    }
}

/// A connection that counts, until it is dropped.
struct Open {
    _slot: OwnedSemaphorePermit,
    gauge: Gauge,
    timed_out: Counter,
}

impl Open {
    fn new(slot: OwnedSemaphorePermit, metrics: &Metrics) -> Self {
        metrics.connections.inc();
        Self {
            _slot: slot,
            gauge: metrics.connections.clone(),
            timed_out: metrics.connections_timed_out.clone(),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// What a connection beyond the cap is told, whatever it wanted to ask.
fn busy_answer() -> Vec<u8> {
    let error = ApiError::new(
        Code::Unavailable,
        "too many connections: close some, or try again",
    );
    let body = refusal(&error);
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: \
         close\r\nretry-after: 1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}
