//! Two threads and a few buffers: one reads and works in place, the other writes.
//!
//! Reading and AES on one core and writing on another take about as long as each other, so that encrypting costs little more
//! time than copying. No byte is copied between reading and writing.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use sealward_core::message::SLOT;
use zeroize::Zeroizing;

/// Slots in a buffer, which is about half a MiB: one system call moves it, and it fits a second-level cache. Half and twice as much
/// took the same time, within the noise of measuring 1 GiB.
pub(crate) const SLOTS: usize = 32;
/// Buffers in use: one being filled, one being written, one waiting between them.
const BUFFERS: usize = 3;
/// The writer's stack in bytes. It only makes system calls; a locked process pays for every page of it.
const STACK: usize = 128 * 1024;

/// A reused piece of memory, and which parts of it are to be written.
pub(crate) struct Buffer {
    /// Room for [`SLOTS`] slots. Erased when dropped: it has held plaintext.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// What goes to the output, in this order.
    pub(crate) ready: Vec<Range<usize>>,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Zeroizing::new(vec![0; SLOTS * SLOT]),
            ready: Vec::with_capacity(SLOTS),
        }
    }
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The input has not ended yet.
    More,
    /// This was the last buffer.
    Last,
}

/// Calls `work` on buffer after buffer until it says that it made the last one, and `write` on each of them in a second thread.
///
/// What `work` marked ready is written even if it then failed: it was found authentic, and a pipe is to get it. Ends early,
/// without an error, once `stop` is set.
pub(crate) fn run<E: Send>(
    mut work: impl FnMut(&mut Buffer) -> Result<Step, E>,
    mut write: impl FnMut(&Buffer) -> Result<(), E> + Send,
    stop: &AtomicBool,
) -> Result<(), E> {
    let (filled, to_write) = sync_channel::<Buffer>(BUFFERS);
    let (emptied, to_fill) = sync_channel::<Buffer>(BUFFERS);
    for _ in 0..BUFFERS {
        // The channel has room for all buffers, and its other end is alive.
        let _ = emptied.send(Buffer::new());
    }
    thread::scope(|scope| {
        let writer = thread::Builder::new()
            .name("writer".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                for buffer in to_write {
                    write(&buffer)?;
                    // Nobody fills any more once the last buffer is on its way.
                    let _ = emptied.send(buffer);
                }
                Ok(())
            })
            .expect("a process that started can start one thread");
        let worked = loop {
            // Either channel is closed only when the writer has failed, which is told below.
            let Ok(mut buffer) = to_fill.recv() else {
                break Ok(());
            };
            if stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            buffer.ready.clear();
            let outcome = work(&mut buffer);
            let ended = !matches!(outcome, Ok(Step::More));
            if filled.send(buffer).is_err() {
                break Ok(());
            }
            if ended {
                break outcome.map(drop);
            }
        };
        drop(filled);
        let written = writer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        worked.and(written)
    })
}

/// Fills the parts one after the other until they are full or the input ends; returns how many bytes came.
pub(crate) fn fill<'a>(
    input: &mut impl Read,
    parts: impl Iterator<Item = &'a mut [u8]>,
) -> io::Result<usize> {
    let mut slices: Vec<IoSliceMut<'a>> = parts.map(IoSliceMut::new).collect();
    let mut missing = &mut slices[..];
    let mut total = 0;
    while !missing.is_empty() {
        match input.read_vectored(missing) {
            Ok(0) => break,
            Ok(count) => {
                total += count;
                IoSliceMut::advance_slices(&mut missing, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Writes what is ready; returns how many bytes that was.
pub(crate) fn drain(output: &mut impl Write, buffer: &Buffer) -> io::Result<usize> {
    let mut slices: Vec<IoSlice<'_>> = buffer
        .ready
        .iter()
        .map(|range| IoSlice::new(&buffer.bytes[range.clone()]))
        .filter(|slice| !slice.is_empty())
        .collect();
    let mut left = &mut slices[..];
    let mut total = 0;
    while !left.is_empty() {
        match output.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                total += count;
                IoSlice::advance_slices(&mut left, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives and takes at most 7 bytes at a time.
    struct Trickle<T>(T);

    impl Read for Trickle<&[u8]> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(7);
            self.0.read(&mut buffer[..count])
        }
    }

    impl Write for Trickle<Vec<u8>> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(&bytes[..bytes.len().min(7)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn short_reads_and_writes_lose_nothing() {
        let input: Vec<u8> = (0..=255).collect();
        let mut buffer = Buffer::new();
        let count = fill(
            &mut Trickle(&input[..]),
            buffer.bytes[..400]
                .chunks_mut(40)
                .map(|part| &mut part[..32]),
        );
        assert_eq!(count.unwrap(), 256);
        buffer.ready = (0..8).map(|part| part * 40..part * 40 + 32).collect();
        let mut output = Trickle(Vec::new());
        assert_eq!(drain(&mut output, &buffer).unwrap(), 256);
        assert_eq!(output.0, input);
    }

    #[test]
    fn what_was_ready_before_a_failure_is_written() {
        let mut written = Vec::new();
        let mut step = 0;
        let result = run(
            |buffer| {
                step += 1;
                buffer.ready.push(0..1);
                if step == 5 {
                    Err("damage")
                } else {
                    Ok(Step::More)
                }
            },
            |buffer| {
                written.push(buffer.ready.clone());
                Ok(())
            },
            &AtomicBool::new(false),
        );
        assert_eq!(result, Err("damage"));
        assert_eq!(written.len(), 5);
    }

    #[test]
    fn a_failed_write_ends_the_work() {
        let result = run(|_| Ok(Step::More), |_| Err("full"), &AtomicBool::new(false));
        assert_eq!(result, Err("full"));
    }

    #[test]
    fn stops_when_told() {
        let stop = AtomicBool::new(false);
        let result: Result<(), ()> = run(
            |_| {
                stop.store(true, Ordering::Relaxed);
                Ok(Step::More)
            },
            |_| Ok(()),
            &stop,
        );
        assert_eq!(result, Ok(()));
    }
}
