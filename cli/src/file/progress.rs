//! A progress bar for people.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Output;

/// Where the length is known: how much, how fast, how much longer.
const BAR: &str =
    "{bytes} of {total_bytes} [{bar:30}] {percent}%  {binary_bytes_per_sec}  {eta} left";
/// Where it is not.
const SPINNER: &str = "{spinner} {bytes}  {binary_bytes_per_sec}";

/// Draws on standard error if that is a terminal, and nothing otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Progress over this many bytes, or over an unknown number.
    pub(crate) fn new(length: Option<u64>, output: Output) -> Self {
        if output.is_json() || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        let template = if length.is_some() { BAR } else { SPINNER };
        // The templates are constant; should one be wrong, the default style serves.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many more bytes were written.
    pub(crate) fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
