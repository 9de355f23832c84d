//! A plain copier: one thread reads, one writes. What file commands are compared with.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context as _, Result};

/// Bytes moved by one system call.
const BUFFER: usize = 1024 * 1024;
/// One being filled, one being written, and one between them.
const BUFFERS: usize = 3;

/// Copies a file to a new one.
pub(crate) fn copy(input: &Path, output: &Path) -> Result<()> {
    let mut input = File::open(input).context("cannot open the input")?;
    let mut output = File::create_new(output).context("cannot create the output")?;
    let (filled, to_write) = sync_channel::<(Vec<u8>, usize)>(BUFFERS);
    let (emptied, to_fill) = sync_channel::<Vec<u8>>(BUFFERS);
    for _ in 0..BUFFERS {
        emptied.send(vec![0; BUFFER])?;
    }
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<()> {
            for (buffer, count) in to_write {
                output.write_all(&buffer[..count]).context("cannot write")?;
                // The reader has gone once it has read everything.
                drop(emptied.send(buffer));
            }
            Ok(())
        });
        while let Ok(mut buffer) = to_fill.recv() {
            let count = input.read(&mut buffer).context("cannot read")?;
            if count == 0 || filled.send((buffer, count)).is_err() {
                break;
            }
        }
        drop(filled);
        writer.join().ok().context("the writer panicked")?
    })
}
