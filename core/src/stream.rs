//! [`SealWriter`] and [`OpenReader`]: a message as a stream of `std::io`, in constant memory.
//!
//! They make the same bytes as [`Sealer`] and [`Opener`]; a program that moves gigabytes uses those, in place.

use std::io::{self, Read, Seek, SeekFrom, Write};

use zeroize::Zeroizing;

use crate::error::{Malformed, OpenError, SealError};
use crate::message::{CHUNK, Chunks, Opener, SLOT, Sealer, TAG};

/// Seals what is written into it and passes it on. Nothing is complete before [`finish`](Self::finish).
pub struct SealWriter<W> {
    inner: W,
    sealer: Sealer,
    /// Plaintext that does not fill a chunk yet: always less than [`CHUNK`] bytes, in a buffer that never moves.
    pending: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealWriter<W> {
    /// Seals into `inner`, after header and prefix, which the caller has written.
    pub fn new(inner: W, sealer: Sealer) -> Self {
        Self {
            inner,
            sealer,
            pending: Zeroizing::new(Vec::with_capacity(SLOT)),
        }
    }

    /// Writes the last chunk, flushes, and gives the inner writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.sealer.finish(&mut self.pending).map_err(seal_failed)?;
        self.inner.write_all(&self.pending)?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let space = CHUNK.saturating_sub(self.pending.len());
        let (taken, _) = data.split_at(space.min(data.len()));
        self.pending.extend_from_slice(taken);
        if self.pending.len() == CHUNK {
            self.pending.resize(SLOT, 0);
            self.sealer
                .seal_slot(&mut self.pending)
                .map_err(seal_failed)?;
            self.inner.write_all(&self.pending)?;
            self.pending.clear();
        }
        Ok(taken.len())
    }

    /// Passes on what is sealed; a chunk that is not full has to wait.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens a message as it is read. Only authenticated plaintext ever comes out, and the end only of a whole message.
///
/// Errors are of kind [`io::ErrorKind::InvalidData`] and carry an [`OpenError`]; after one, the reader gives nothing more.
pub struct OpenReader<R> {
    inner: R,
    chunks: Chunks,
    /// The chunk that is read next.
    next: u64,
    /// One opened chunk, of which `taken` bytes were handed out.
    buffer: Zeroizing<Vec<u8>>,
    taken: usize,
    state: State,
    /// Known once the last chunk was authenticated on behalf of a seek.
    extent: Option<Extent>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// The last chunk is in the buffer.
    Last,
    Failed(OpenError),
}

#[derive(Clone, Copy)]
struct Extent {
    /// Where in `inner` the first chunk begins.
    start: u64,
    /// Bytes of plaintext in the whole message.
    plaintext: u64,
}

impl<R: Read> OpenReader<R> {
    /// Opens from `inner`, which stands right after the prefix.
    pub fn new(inner: R, opener: Opener) -> Self {
        Self {
            inner,
            chunks: opener.into_chunks(),
            next: 0,
            buffer: Zeroizing::new(Vec::with_capacity(SLOT)),
            taken: 0,
            state: State::Reading,
            extent: None,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.taken = 0;
        self.buffer.clear();
        self.inner
            .by_ref()
            .take(length(SLOT))
            .read_to_end(&mut self.buffer)?;
        let full = self.buffer.len() == SLOT;
        if self.buffer.len() < TAG {
            return self.fail(Malformed::Length.into());
        }
        if let Err(error) = self.chunks.open(self.next, &mut self.buffer) {
            return self.fail(error);
        }
        let plaintext = self.buffer.len().saturating_sub(TAG);
        self.buffer.truncate(plaintext);
        self.next = self.next.saturating_add(1);
        if !full {
            self.state = State::Last;
        }
        Ok(())
    }

    fn fail<T>(&mut self, error: OpenError) -> io::Result<T> {
        self.state = State::Failed(error);
        self.taken = 0;
        zeroize::Zeroize::zeroize(&mut *self.buffer);
        Err(open_failed(error))
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let State::Failed(error) = self.state {
            return Err(open_failed(error));
        }
        if out.is_empty() {
            return Ok(0);
        }
        while self.taken == self.buffer.len() && self.state == State::Reading {
            self.fill()?;
        }
        let ready = self.buffer.get(self.taken..).unwrap_or_default();
        let len = ready.len().min(out.len());
        for (to, from) in out.iter_mut().zip(ready) {
            *to = *from;
        }
        self.taken = self.taken.saturating_add(len);
        Ok(len)
    }
}

impl<R: Read + Seek> OpenReader<R> {
    /// Where the message begins and how long it is, after authenticating its last chunk: a file that was cut or
    /// extended is found out before a single byte of it is believed.
    fn extent(&mut self) -> io::Result<Extent> {
        if let Some(extent) = self.extent {
            return Ok(extent);
        }
        let slot = length(SLOT);
        let read = match self.state {
            State::Last => {
                // `next` counts the last chunk, whose length is that of the buffer.
                let full = self.next.saturating_sub(1).saturating_mul(slot);
                full.saturating_add(length(self.buffer.len()))
                    .saturating_add(length(TAG))
            }
            _ => self.next.saturating_mul(slot),
        };
        let here = self.inner.stream_position()?;
        let Some(start) = here.checked_sub(read) else {
            return self.fail(Malformed::Length.into());
        };
        let end = self.inner.seek(SeekFrom::End(0))?;
        let Some(size) = end.checked_sub(start) else {
            return self.fail(Malformed::Length.into());
        };
        let (full, rest) = (
            size.checked_div(slot).unwrap_or(0),
            size.checked_rem(slot).unwrap_or(0),
        );
        let Some(last) = rest.checked_sub(length(TAG)) else {
            return self.fail(Malformed::Length.into());
        };
        let extent = Extent {
            start,
            plaintext: full.saturating_mul(length(CHUNK)).saturating_add(last),
        };
        self.state = State::Reading;
        self.go_to(extent, full)?;
        self.fill()?;
        if self.state != State::Last {
            return self.fail(Malformed::Length.into());
        }
        self.extent = Some(extent);
        Ok(extent)
    }

    /// Puts the inner reader before `chunk` and forgets the buffer.
    fn go_to(&mut self, extent: Extent, chunk: u64) -> io::Result<()> {
        let offset = chunk.saturating_mul(length(SLOT));
        self.inner
            .seek(SeekFrom::Start(extent.start.saturating_add(offset)))?;
        self.next = chunk;
        self.buffer.clear();
        self.taken = 0;
        Ok(())
    }

    fn position(&self) -> u64 {
        // The chunk in the buffer is the one before `next`; before the first read there is none.
        let chunk = if self.buffer.is_empty() && self.state == State::Reading {
            self.next
        } else {
            self.next.saturating_sub(1)
        };
        chunk
            .saturating_mul(length(CHUNK))
            .saturating_add(length(self.taken))
    }
}

impl<R: Read + Seek> Seek for OpenReader<R> {
    /// Goes to a place in the plaintext. Beyond the end is allowed, as for files, and reads nothing.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let State::Failed(error) = self.state {
            return Err(open_failed(error));
        }
        let here = self.position();
        let extent = self.extent()?;
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => extent.plaintext.checked_add_signed(offset),
            SeekFrom::Current(offset) => here.checked_add_signed(offset),
        };
        let target = target
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        // The last chunk is always there, so every place has a chunk, and a place beyond the end has the last one.
        let within = target.min(extent.plaintext);
        let chunk = within.checked_div(length(CHUNK)).unwrap_or(0);
        self.state = State::Reading;
        self.go_to(extent, chunk)?;
        self.fill()?;
        self.taken = usize::try_from(within.checked_rem(length(CHUNK)).unwrap_or(0)).unwrap_or(0);
        Ok(target)
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a buffer's length fits 64 bits")
}

fn seal_failed(error: SealError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

fn open_failed(error: OpenError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests;
