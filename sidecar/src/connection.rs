//! One connection: requests must arrive in time, and silence ends.
//!
//! hyper's own timeout begins anew, with a timer of its own, for each request, and
//! does not cover the body. Here one timer per connection is moved only when it
//! fires, so that a busy connection pays for reading the clock and no more.
//!
//! A connection on which nothing happens costs a task of a few hundred bytes:
//! hyper, whose buffers are 16 KiB and more, gets it with the first byte of a
//! request, and gives it back some time after the last answer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
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

/// How long hyper keeps a stream on which nothing happens.
const QUIET: Duration = Duration::from_millis(250);

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
    let mut stream = Paced {
        stream,
        pace: Arc::clone(&pace),
        ahead: Bytes::new(),
    };
    loop {
        if stream.ahead.is_empty() {
            let mut first = [0];
            tokio::select! {
                // Not `readable`: tokio assumes that of a new stream without looking.
                seen = stream.stream.peek(&mut first) => if !matches!(seen, Ok(1)) {
                    return End::Closed;
                },
                () = tokio::time::sleep_until(pace.deadline()) => return End::TimedOut,
                () = shutdown.requested() => return End::Closed,
            }
        }
        match Box::pin(converse(stream, &endpoint, &pace, &shutdown)).await {
            Pause::Ended(end) => return end,
            Pause::Quiet(back) => stream = back,
        }
    }
}

/// Why hyper does no longer have the stream.
enum Pause {
    Ended(End),
    /// All that came is answered, and for some time nothing has come.
    Quiet(Paced),
}

/// Lets hyper answer requests until there are none.
async fn converse(
    stream: Paced,
    endpoint: &Arc<Endpoint>,
    pace: &Arc<Pace>,
    shutdown: &Shutdown,
) -> Pause {
    let service = service_fn(|request| {
        let (endpoint, pace) = (Arc::clone(endpoint), Arc::clone(pace));
        pace.received();
        async move {
            let answer = endpoint.answer(request).await;
            pace.answered();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let mut timer = pin!(tokio::time::sleep_until(pace.check_at()));
    let mut requested = pin!(shutdown.requested());
    let mut draining = false;
    let ended = poll_fn(|context| {
        if !draining && requested.as_mut().poll(context).is_ready() {
            draining = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if Pin::new(&mut connection).poll(context).is_ready() {
            return Poll::Ready(Some(End::Closed));
        }
        let check_at = pace.check_at();
        if check_at < timer.deadline() {
            timer.as_mut().reset(check_at);
        }
        while timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if pace.deadline() <= now {
                return Poll::Ready(Some(End::TimedOut));
            }
            let check_at = pace.check_at();
            if check_at <= now {
                return Poll::Ready(None);
            }
            timer.as_mut().reset(check_at);
        }
        Poll::Pending
    });
    if let Some(end) = ended.await {
        return Pause::Ended(end);
    }
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    // The front of a request that came together with the one before.
    stream.ahead = parts.read_buf;
    Pause::Quiet(stream)
}

/// When the client must have done something.
struct Pace {
    deadlines: Deadlines,
    start: Instant,
    /// Microseconds from `start`.
    deadline: AtomicU64,
    /// The same: when the stream counts as quiet, if nothing comes.
    quiet: AtomicU64,
    /// Whether a request has begun that is not answered.
    begun: AtomicBool,
    /// Whether a part of an answer waits for the client to read.
    blocked: AtomicBool,
}

impl Pace {
    fn new(deadlines: Deadlines) -> Self {
        let pace = Self {
            deadlines,
            start: Instant::now(),
            deadline: AtomicU64::new(0),
            quiet: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
        };
        // Who connects and sends nothing is not idle but late.
        pace.set(deadlines.request);
        pace
    }

    fn deadline(&self) -> Instant {
        self.at(&self.deadline)
    }

    fn at(&self, micros: &AtomicU64) -> Instant {
        self.start + Duration::from_micros(micros.load(Ordering::Relaxed))
    }

    /// When to look again: at the deadline, or when the stream has been quiet for
    /// long enough.
    fn check_at(&self) -> Instant {
        let busy = self.begun.load(Ordering::Relaxed) || self.blocked.load(Ordering::Relaxed);
        if busy {
            self.deadline()
        } else {
            self.deadline().min(self.at(&self.quiet))
        }
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
        let now = self.start.elapsed();
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.deadline
            .store(micros(now + from_now), Ordering::Relaxed);
        self.quiet.store(micros(now + QUIET), Ordering::Relaxed);
    }
}

/// A stream that tells what happens on it.
struct Paced {
    stream: TcpStream,
    pace: Arc<Pace>,
    /// Bytes that were read before and are to be read again.
    ahead: Bytes,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            self.pace.received();
            return Poll::Ready(Ok(()));
        }
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
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace
            .blocked
            .store(result.is_pending(), Ordering::Relaxed);
        result
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
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.pace
            .blocked
            .store(result.is_pending(), Ordering::Relaxed);
        result
    }
}
