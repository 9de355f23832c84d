//! A client that costs next to nothing: bytes that were made before out, an answer in.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Room for an answer: 4 KiB of plaintext as text and as base64 make about 10 KiB.
const BUFFER: usize = 32 * 1024;

/// How long a server may take. Only bounds how long a broken one can hold up a run.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection with the one request that is sent on it, again and again.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
    filled: usize,
}

/// Where head and body of a complete answer end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    head: usize,
    all: usize,
}

impl Connection {
    /// Connects, and waits until that is done.
    pub(crate) fn open(address: SocketAddr, request: Vec<u8>) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            request,
            buffer: vec![0; BUFFER],
            filled: 0,
        })
    }

    /// From now on [`receive`](Self::receive) does not wait.
    pub(crate) fn stop_waiting(&self) -> Result<()> {
        self.stream.set_nonblocking(true).context("cannot unblock")
    }

    /// Sends the request.
    pub(crate) fn send(&mut self) -> Result<()> {
        // The socket's buffer is empty, and larger than a request: nothing waits here.
        self.stream.write_all(&self.request).context("cannot send")
    }

    /// Takes what has come; true when that completes an answer of status 200.
    ///
    /// # Errors
    /// The connection broke, or the answer has another status or is none.
    pub(crate) fn receive(&mut self) -> Result<bool> {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => bail!("the server closed the connection, or its answer is too long"),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
            Err(error) => return Err(error).context("cannot receive"),
        }
        let Some(extent) = extent(&self.buffer[..self.filled])? else {
            return Ok(false);
        };
        ensure!(
            extent.all == self.filled,
            "the server sent more than an answer"
        );
        ensure!(
            self.buffer.starts_with(b"HTTP/1.1 200 "),
            "the server refused: {}",
            String::from_utf8_lossy(&self.buffer[..self.filled])
        );
        self.filled = 0;
        Ok(true)
    }

    /// Whether the server has left the connection open and said nothing on it. Only after
    /// [`stop_waiting`](Self::stop_waiting).
    pub(crate) fn is_quiet(&self) -> bool {
        let peeked = self.stream.peek(&mut [0]);
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Sends the request and waits for its answer: head, with the empty line, and body.
    pub(crate) fn call(mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        self.send()?;
        while !self.receive()? {}
        let extent = extent(&self.buffer)?.context("the answer is gone")?;
        self.buffer.truncate(extent.all);
        let body = self.buffer.split_off(extent.head);
        Ok((self.buffer, body))
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Finds where the answer at the beginning of `bytes` ends, if all of it is there.
fn extent(bytes: &[u8]) -> Result<Option<Extent>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let length = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then_some(value.trim_ascii())
    });
    let length = str::from_utf8(length.context("an answer without Content-Length")?)?;
    let head = end + 4;
    let all = head + length.parse::<usize>().context("Content-Length")?;
    Ok((all <= bytes.len()).then_some(Extent { head, all }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_of_an_answer_only_when_it_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-LENGTH: 3\r\n\r\nabc";
        for length in 0..answer.len() {
            assert_eq!(extent(&answer[..length]).unwrap(), None, "{length}");
        }
        let all = answer.len();
        assert_eq!(extent(answer).unwrap(), Some(Extent { head: all - 3, all }));
        assert!(extent(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
