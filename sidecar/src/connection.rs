//! One connection: requests must arrive in time, and silence ends.
//!
//! hyper's own timeout begins anew, with a timer of its own, for each request, and
//! does not cover the body. Here one timer per connection is moved only when it
//! fires, so that a busy connection pays for reading the clock and no more.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sealward_runtime::shutdown::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::endpoint::Endpoint;

/// The longest head of a request. SDKs send about 700 bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The most header lines.
const MAX_HEADERS: usize = 64;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the first byte of a request, or from connecting, to its answer.
    pub request: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// One side closed it.
    Closed,
    /// A deadline passed.
    TimedOut,
}

/// Serves a connection until it ends. After `shutdown`, the request that is being
/// answered is the last.
pub(crate) async fn serve(
    stream: TcpStream,
    endpoint: Arc<Endpoint>,
    deadlines: Deadlines,
    shutdown: Shutdown,
) -> End {
    let pace = Arc::new(Pace::new(deadlines));
    let stream = TokioIo::new(Paced {
        stream,
        pace: Arc::clone(&pace),
    });
    let service = service_fn({
        let pace = Arc::clone(&pace);
        move |request| {
            let (endpoint, pace) = (Arc::clone(&endpoint), Arc::clone(&pace));
            pace.received();
            async move {
                let answer = endpoint.answer(request).await;
                pace.answered();
                Ok::<_, Infallible>(answer)
            }
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(stream, service)
    );
    let mut timer = pin!(tokio::time::sleep_until(pace.deadline()));
    let mut requested = pin!(shutdown.requested());
    let mut draining = false;
    poll_fn(|context| {
        if !draining && requested.as_mut().poll(context).is_ready() {
            draining = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(End::Closed);
        }
        let deadline = pace.deadline();
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(context).is_ready() {
            let deadline = pace.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(End::TimedOut);
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await
}

/// When the client must have done something.
struct Pace {
    deadlines: Deadlines,
    start: Instant,
    /// Microseconds from `start`.
    deadline: AtomicU64,
    /// Whether a request has begun that is not answered.
    begun: AtomicBool,
}

impl Pace {
    fn new(deadlines: Deadlines) -> Self {
        let pace = Self {
            deadlines,
            start: Instant::now(),
            deadline: AtomicU64::new(0),
            begun: AtomicBool::new(false),
        };
        // Who connects and sends nothing is not idle but late.
        pace.set(deadlines.request);
        pace
    }

    fn deadline(&self) -> Instant {
        self.start + Duration::from_micros(self.deadline.load(Ordering::Relaxed))
    }

    /// Bytes came: the first of them begin a request.
    fn received(&self) {
        if !self.begun.swap(true, Ordering::Relaxed) {
            self.set(self.deadlines.request);
        }
    }

    fn answered(&self) {
        self.begun.store(false, Ordering::Relaxed);
        self.set(self.deadlines.idle);
    }

    fn set(&self, from_now: Duration) {
        let at = (self.start.elapsed() + from_now).as_micros();
        self.deadline
            .store(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A stream that tells when something was read.
struct Paced {
    stream: TcpStream,
    pace: Arc<Pace>,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.received();
        }
        result
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
