//! One buffer of an enveloped file: read, seal or open in place, mark what is to be written.

use std::io::{self, Read};

use sealward_core::message::{CHUNK, Opener, SLOT, Sealer};
use sealward_core::{OpenError, SealError};
use zeroize::Zeroizing;

use super::pump::{Buffer, SLOTS, Step, fill};

/// What stops the work on a file. Which file, whoever called knows.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The input cannot be read.
    Read(io::Error),
    /// The output cannot be written.
    Write(io::Error),
    /// The beginning is not that of an enveloped file.
    NotEnveloped(OpenError),
    /// The input ends where no message can.
    CutShort,
    /// A chunk does not open.
    Open(OpenError),
    /// A chunk cannot be sealed.
    Seal(SealError),
    /// There is nothing to be done after the last chunk, or nobody to do it.
    Ended,
}

/// The part of a file command that turns input into ready buffers.
pub(crate) trait Codec {
    /// Fills the buffer, works on it, and marks what is ready; keeps nothing of it.
    fn step(&mut self, buffer: &mut Buffer) -> Result<Step, Stop>;
}

/// Reads plaintext and seals it.
pub(crate) struct Seal<R> {
    pub(crate) input: R,
    /// Taken when the last chunk is sealed.
    pub(crate) sealer: Option<Sealer>,
}

impl<R: Read> Codec for Seal<R> {
    fn step(&mut self, buffer: &mut Buffer) -> Result<Step, Stop> {
        // Each chunk is read into its slot, with room for the tag behind it.
        let chunks = buffer
            .bytes
            .chunks_exact_mut(SLOT)
            .map(|slot| &mut slot[..CHUNK]);
        let count = fill(&mut self.input, chunks).map_err(Stop::Read)?;
        let (whole, rest) = (count / CHUNK, count % CHUNK);
        let sealer = self.sealer.as_mut().ok_or(Stop::Ended)?;
        for slot in buffer.bytes.chunks_exact_mut(SLOT).take(whole) {
            sealer.seal_slot(slot).map_err(Stop::Seal)?;
        }
        if whole == SLOTS {
            buffer.ready.push(0..whole * SLOT);
            return Ok(Step::More);
        }
        let start = whole * SLOT;
        let mut last = Zeroizing::new(Vec::with_capacity(SLOT));
        last.extend_from_slice(&buffer.bytes[start..start + rest]);
        self.sealer
            .take()
            .ok_or(Stop::Ended)?
            .finish(&mut last)
            .map_err(Stop::Seal)?;
        let end = start + last.len();
        buffer.bytes[start..end].copy_from_slice(&last);
        buffer.ready.push(0..end);
        Ok(Step::Last)
    }
}

/// Reads sealed chunks and opens them.
pub(crate) struct Open<R> {
    pub(crate) input: R,
    /// Taken when the last chunk is opened.
    pub(crate) opener: Option<Opener>,
}

impl<R: Read> Codec for Open<R> {
    fn step(&mut self, buffer: &mut Buffer) -> Result<Step, Stop> {
        let count =
            fill(&mut self.input, std::iter::once(&mut buffer.bytes[..])).map_err(Stop::Read)?;
        let (whole, rest) = (count / SLOT, count % SLOT);
        let opener = self.opener.as_mut().ok_or(Stop::Ended)?;
        for (number, slot) in buffer.bytes.chunks_exact_mut(SLOT).take(whole).enumerate() {
            opener.open_slot(slot).map_err(Stop::Open)?;
            // Only now: what comes before a damaged chunk is authentic, and a pipe gets it.
            buffer.ready.push(number * SLOT..number * SLOT + CHUNK);
        }
        if whole == SLOTS {
            return Ok(Step::More);
        }
        let start = whole * SLOT;
        let mut last = Zeroizing::new(buffer.bytes[start..start + rest].to_vec());
        self.opener
            .take()
            .ok_or(Stop::Ended)?
            .finish(&mut last)
            .map_err(Stop::Open)?;
        let end = start + last.len();
        buffer.bytes[start..end].copy_from_slice(&last);
        buffer.ready.push(start..end);
        Ok(Step::Last)
    }
}

#[cfg(test)]
mod tests;
