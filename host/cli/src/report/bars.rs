//! Progress bars on a terminal.

use std::io::IsTerminal;
use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nnunet_engine::progress::{self, Bar, Progress};

use super::printable::printable;
use super::style::{Style, style};

static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// All bars. What is printed while bars are drawn must suspend them.
pub(super) fn bars() -> &'static MultiProgress {
    BARS.get_or_init(MultiProgress::new)
}

/// A bar over `len` steps if standard error is a terminal; otherwise nothing is drawn.
#[must_use]
pub fn bar(len: usize, what: &str) -> ProgressBar {
    if style() != Style::Human || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bars().add(ProgressBar::new(len as u64).with_style(style));
    bar.set_prefix(printable(what).into_owned());
    bar
}

/// Draws a bar for every step that libraries report.
pub(super) fn show_progress_of_libraries() {
    progress::install(Box::new(Bars));
}

struct Bars;

impl Progress for Bars {
    fn start(&self, len: usize, what: &str) -> Box<dyn Bar> {
        Box::new(TerminalBar(bar(len, what)))
    }
}

struct TerminalBar(ProgressBar);

impl Bar for TerminalBar {
    fn inc(&self, parts: u64) {
        self.0.inc(parts);
    }

    fn set_position(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for TerminalBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
