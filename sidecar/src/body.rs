//! Bodies: read with a limit, and erased when they were sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::erased::Erased;
use crate::error::{ApiError, Code};

/// The most bytes of a request's body. 4096 bytes of control characters are 24.6 KB
/// of JSON.
pub(crate) const MAX_BODY: usize = 65_536;

/// Bodies up to this size are read as they come. A ciphertext of 4 KB fits.
const SMALL: usize = 8192;

/// How many larger bodies are in memory at once. All connections together could
/// fill 16 MiB otherwise, and a pod has little more.
const LARGE_BODIES: usize = 16;

/// Reads bodies within bounds.
pub(crate) struct BodyReader(Semaphore);

/// A body that was read, and its share of the room for large ones.
pub(crate) struct Received<'a> {
    pub(crate) bytes: Erased,
    _room: Option<SemaphorePermit<'a>>,
}

impl BodyReader {
    pub(crate) fn new() -> Self {
        Self(Semaphore::new(LARGE_BODIES))
    }

    /// Reads a body to its end.
    ///
    /// # Errors
    /// KMS.0203 if it is too long, or says that it will be; KMS.0202 if it breaks off.
    pub(crate) async fn read(&self, mut body: Incoming) -> Result<Received<'_>, ApiError> {
        let announced = body.size_hint();
        if announced.lower() > MAX_BODY as u64 {
            return Err(too_long());
        }
        // Chunked bodies announce nothing; they count as small until they are not.
        let expected = usize::try_from(announced.exact().unwrap_or(0)).unwrap_or(MAX_BODY);
        let mut room = None;
        if expected > SMALL {
            room = Some(self.large().await?);
        }
        let mut bytes = Erased::with_capacity(expected);
        while let Some(frame) = next(&mut body).await {
            let frame = frame.map_err(|_| ApiError::new(Code::NotJson, "the body breaks off"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() + data.len();
            if length > MAX_BODY {
                return Err(too_long());
            }
            if length > SMALL && room.is_none() {
                room = Some(self.large().await?);
            }
            bytes.extend(&data);
        }
        Ok(Received { bytes, _room: room })
    }

    async fn large(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.0
            .acquire()
            .await
            .map_err(|_| ApiError::new(Code::Unavailable, "shutting down"))
    }
}

async fn next(body: &mut Incoming) -> Option<Result<Frame<bytes::Bytes>, hyper::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

fn too_long() -> ApiError {
    ApiError::new(Code::TooLong, "the body is longer than 65536 bytes")
}

/// The body of an answer. Its bytes are erased when they were handed to the kernel.
pub(crate) struct Answer(Option<Erased>);

impl Answer {
    pub(crate) fn new(bytes: Erased) -> Self {
        Self(Some(bytes))
    }
}

impl Body for Answer {
    type Data = Sending;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Sending>, Infallible>>> {
        Poll::Ready(
            self.0
                .take()
                .map(|bytes| Ok(Frame::data(Sending { bytes, sent: 0 }))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len()) as u64)
    }
}

/// Bytes on their way out.
pub(crate) struct Sending {
    bytes: Erased,
    sent: usize,
}

impl Buf for Sending {
    fn remaining(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn advance(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
    }
}
