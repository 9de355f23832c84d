//! One JSON line for each use of this endpoint, refused ones included.
//!
//! A line holds no plaintext, no key, no ciphertext and no token; of the
//! encryption context it has a hash keyed with the CMK's version. Lines go into a
//! bounded buffer which one thread empties in batches. An answer never waits for
//! it: a line for which there is no room is counted, and the count is a line of
//! its own and a metric.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hex_simd::AsciiCase;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;

use crate::erased::Erased;
use crate::request_id::RequestId;
use crate::wire::write::{Text, id_text};

/// Where lines go: standard output, a file. Written to by one thread, which may block.
pub type Sink = Box<dyn Write + Send>;

/// Room for lines that nobody has taken yet: about 700.
const BUFFER: usize = 256 * 1024;

/// How long lines are gathered before they are written. One write for many lines
/// is what makes a line cheap.
const GATHER: Duration = Duration::from_millis(20);

/// Who uses this endpoint; the same in every line.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Name of the pod, or of the process that stands for one.
    pub pod: String,
    /// Its namespace.
    pub namespace: String,
    /// Its `ServiceAccount`.
    pub service_account: String,
}

/// What one line says beyond time and subject.
#[derive(Debug, Default)]
pub(crate) struct Use {
    pub(crate) operation: Option<&'static str>,
    pub(crate) key: Option<KeyUse>,
    /// Of `re-encrypt`: the key that was decrypted with.
    pub(crate) source: Option<KeyUse>,
    /// Absent where there is no encryption context.
    pub(crate) context_hash: Option<[u8; 32]>,
}

/// A CMK, and where one was used, its version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyUse {
    pub(crate) id: sealward_core::KeyId,
    pub(crate) version: Option<sealward_core::KeyVersion>,
}

/// Takes lines. They are certain to be written only after [`Audit::close`].
pub(crate) struct Audit {
    shared: Arc<Shared>,
    /// `,"pod":…,"namespace":…,"serviceAccount":…`, escaped once for all lines.
    subject: Vec<u8>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    dropped_total: Counter,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    closing: bool,
    closed: bool,
    stamp: Stamp,
}

/// The text of the last second that a line was written in.
#[derive(Default)]
struct Stamp {
    second: i64,
    text: Vec<u8>,
}

impl Audit {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(crate) fn start(
        sink: Sink,
        subject: &Subject,
        dropped_total: Counter,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            dropped_total,
        });
        std::thread::Builder::new()
            .name("audit".to_owned())
            // It copies one buffer into one file.
            .stack_size(128 * 1024)
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.write_to(sink)
            })?;
        let mut escaped = Erased::default();
        for (name, value) in [
            (&b",\"pod\":"[..], &subject.pod),
            (b",\"namespace\":", &subject.namespace),
            (b",\"serviceAccount\":", &subject.service_account),
        ] {
            escaped.extend(name);
            Text::new(value).push(&mut escaped);
        }
        Ok(Self {
            shared,
            subject: escaped.to_vec(),
        })
    }

    /// Adds the line of one use. Never waits for the sink.
    pub(crate) fn record(
        &self,
        used: &Use,
        request_id: RequestId,
        code: &str,
        now: Timestamp,
        took: Duration,
    ) {
        let mut state = self.shared.lock();
        // A line is under 1 KB: names are DNS labels or were cut.
        if state.lines.len() + self.subject.len() + 1024 > BUFFER || state.closed {
            state.dropped += 1;
            self.shared.dropped_total.inc();
            return;
        }
        let before = state.lines.len();
        let State { lines, stamp, .. } = &mut *state;
        begin(lines, stamp, now);
        lines.extend(b",\"requestId\":\"");
        lines.extend(request_id.as_bytes());
        lines.extend(b"\"");
        if let Some(operation) = used.operation {
            lines.extend(b",\"operation\":\"");
            lines.extend(operation.as_bytes());
            lines.extend(b"\"");
        }
        push_key(lines, "keyId", "keyVersion", used.key);
        push_key(lines, "sourceKeyId", "sourceKeyVersion", used.source);
        lines.extend(&self.subject);
        if let Some(hash) = &used.context_hash {
            lines.extend(b",\"contextHash\":\"");
            hex_simd::encode_append(hash, lines, AsciiCase::Lower);
            lines.extend(b"\"");
        }
        lines.extend(b",\"result\":\"");
        lines.extend(code.as_bytes());
        lines.extend(b"\",\"durationMicros\":");
        push_number(lines, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        lines.extend(b"}\n");
        let after = state.lines.len();
        drop(state);
        // Waking costs a system call: once when there is something, once when it is
        // time to write.
        if before == 0 || (before < BUFFER / 2 && after >= BUFFER / 2) {
            self.shared.wake.notify_one();
        }
    }

    /// Writes what is left and takes no more, or gives up after `deadline`: a sink that
    /// nobody reads must not keep a pod from ending. Blocks.
    pub(crate) fn close(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.wake.notify_all();
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::error!("audit lines were lost: nobody took them before the deadline");
                return;
            }
            state = self
                .shared
                .wake
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: Sink) {
        let mut batch = Vec::new();
        let mut failing = false;
        loop {
            let mut state = self.lock();
            while state.lines.is_empty() && state.dropped == 0 && !state.closing {
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let gathering = |state: &mut State| state.lines.len() < BUFFER / 2 && !state.closing;
            state = self
                .wake
                .wait_timeout_while(state, GATHER, gathering)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            std::mem::swap(&mut state.lines, &mut batch);
            let dropped = std::mem::take(&mut state.dropped);
            let last = state.closing;
            if dropped > 0 {
                push_dropped(&mut batch, &mut state.stamp, dropped);
            }
            drop(state);
            match sink.write_all(&batch).and_then(|()| sink.flush()) {
                Ok(()) => failing = false,
                Err(error) => {
                    let lost = batch.split(|byte| *byte == b'\n').count() as u64 - 1;
                    self.dropped_total.inc_by(lost);
                    if !failing {
                        tracing::error!(%error, "audit lines cannot be written and are lost");
                    }
                    failing = true;
                }
            }
            batch.clear();
            if last {
                break;
            }
        }
        self.lock().closed = true;
        self.wake.notify_all();
    }
}

fn begin(lines: &mut Vec<u8>, stamp: &mut Stamp, now: Timestamp) {
    if stamp.second != now.as_second() || stamp.text.is_empty() {
        let mut text = String::with_capacity(24);
        // Whole seconds print as 2026-01-01T00:00:00Z; the Z comes after the fraction.
        let second = Timestamp::from_second(now.as_second()).unwrap_or_default();
        let _ = write!(text, "{second}");
        text.truncate(text.len().saturating_sub(1));
        *stamp = Stamp {
            second: now.as_second(),
            text: text.into_bytes(),
        };
    }
    lines.extend(b"{\"time\":\"");
    lines.extend(&stamp.text);
    let micros = now.subsec_microsecond().unsigned_abs();
    lines.push(b'.');
    for divisor in [100_000, 10_000, 1000, 100, 10, 1] {
        // A digit.
        lines.push(b'0' + u8::try_from(micros / divisor % 10).unwrap_or_default());
    }
    lines.extend(b"Z\"");
}

fn push_key(lines: &mut Vec<u8>, id: &str, version: &str, used: Option<KeyUse>) {
    let Some(used) = used else { return };
    lines.extend(b",\"");
    lines.extend(id.as_bytes());
    lines.extend(b"\":\"");
    lines.extend(id_text(&used.id));
    lines.push(b'"');
    if let Some(number) = used.version {
        lines.extend(b",\"");
        lines.extend(version.as_bytes());
        lines.extend(b"\":");
        push_number(lines, u64::from(number.get()));
    }
}

fn push_number(lines: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    lines.extend(&digits[at..]);
}

/// Says how many lines are missing where they are missing. It has the time of the
/// last line that was not.
fn push_dropped(lines: &mut Vec<u8>, stamp: &mut Stamp, dropped: u64) {
    let second = Timestamp::from_second(stamp.second).unwrap_or_default();
    begin(lines, stamp, second);
    lines.extend(b",\"event\":\"dropped\",\"lines\":");
    push_number(lines, dropped);
    lines.extend(b"}\n");
}

#[cfg(test)]
mod tests;
