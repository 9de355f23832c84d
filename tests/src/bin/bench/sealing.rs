//! Sealing in memory, against OpenSSL.

use std::ffi::OsString;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use getrandom::SysRng;
use sealward_core::message::{CHUNK, SLOT};
use sealward_core::{Dek, EncryptionContext, KeyId, KeyVersion, Purpose, VersionKey, envelope};
use sealward_tests::process::succeeds;

use crate::Effort;
use crate::daemon::{LOAD_CPU, pinned};
use crate::stats::Spread;
use crate::table::{Row, Table, Verdict};

const WHAT: &str = "sealing in memory, 16 KiB chunks, one thread, against openssl speed";

/// Chunks sealed between two looks at the clock.
const BATCH: u64 = 256;

/// Measures both, taking turns.
pub(crate) fn measure(effort: Effort, table: &mut Table) -> Result<()> {
    // `openssl speed` takes whole seconds only.
    let seconds = "1";
    let this = std::env::current_exe().context("where this program is")?;
    let ours: Vec<OsString> = vec![this.into(), "seal".into(), seconds.into()];
    let openssl: Vec<OsString> = [
        "openssl",
        "speed",
        "-mr",
        "-elapsed",
        "-seconds",
        seconds,
        "-evp",
        "aes-256-gcm",
        "-bytes",
        "16384",
    ]
    .map(OsString::from)
    .into();
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..effort.rounds {
        for (command, rates) in [&ours, &openssl].into_iter().zip(&mut rates) {
            match speed(command) {
                Ok(rate) => rates.push(rate),
                Err(error) => {
                    table.leave_out(WHAT, format!("{error:#}"));
                    return Ok(());
                }
            }
        }
    }
    let ratio = Spread::of_ratios(&rates[0], &rates[1]);
    let shown =
        |rates: &[f64]| format!("{:.2} GB/s", Spread::of(rates.iter().copied()).median / 1e9);
    table.add(Row {
        what: WHAT.to_owned(),
        ours: shown(&rates[0]),
        other: shown(&rates[1]),
        ratio: Some(ratio),
        verdict: Verdict::at_least(0.8, " ×", ratio.median),
    });
    Ok(())
}

/// Bytes per second, from the last line of a program that prints as `openssl speed -mr` does.
fn speed(command: &[OsString]) -> Result<f64> {
    let output = succeeds(&mut pinned(LOAD_CPU, command)?)?;
    let output = String::from_utf8(output.stdout)?;
    let last = output.trim_end().rsplit(':').next().unwrap_or_default();
    last.parse()
        .with_context(|| format!("{} printed no speed: {output}", command[0].display()))
}

/// Seals chunks for some seconds and prints bytes per second as `openssl speed -mr` does. As there, every chunk is
/// the same memory.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn seal(seconds: u64) -> Result<()> {
    let (dek, none) = (Dek::generate(&mut SysRng)?, EncryptionContext::none());
    let key = VersionKey::generate(KeyId::from_bytes([0; 16]), KeyVersion::FIRST, &mut SysRng)?;
    let sealed = sealward_core::seal(&key, Purpose::Dek, &none, dek.expose(), &mut SysRng)?;
    let header = envelope::FileHeader::new(&sealed)?;
    let (mut sealer, _) = envelope::sealer(&header, &dek, &none, &mut SysRng)?;
    let mut slot = vec![0; SLOT];
    let time = Duration::from_secs(seconds);
    let started = Instant::now();
    let mut chunks = 0;
    while started.elapsed() < time {
        for _ in 0..BATCH {
            sealer.seal_slot(black_box(&mut slot))?;
        }
        chunks += BATCH;
    }
    let bytes = chunks * CHUNK as u64;
    let rate = bytes as f64 / started.elapsed().as_secs_f64();
    writeln!(std::io::stdout().lock(), "+F:sealward:{rate:.2}")?;
    Ok(())
}
