//! What the user sees while the program works: lines, and a bar when a terminal is there.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the place that prints")]

use std::io::IsTerminal;
use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nnunet_engine::progress::{self, Bar, Progress};
use nnunet_engine::stdout::print_line;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// How much is said, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Lines for people; bars on a terminal.
    #[default]
    Human,
    /// Errors only.
    Quiet,
    /// One JSON object a line.
    Json,
}

static STYLE: OnceLock<Style> = OnceLock::new();
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Sets the style, and shows the messages and the progress of libraries in it. Only the first call has an effect.
pub fn set_style(style: Style) {
    let _ = STYLE.set(style);
    let subscriber = tracing_subscriber::registry().with(Messages);
    let _ = tracing::subscriber::set_global_default(subscriber);
    progress::install(Box::new(Bars));
}

/// Shows the events of this program's own crates.
struct Messages;

impl<S: Subscriber> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if !event.metadata().target().starts_with("nnunet") {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        match *event.metadata().level() {
            Level::INFO => line(&message.0),
            Level::WARN | Level::ERROR => warning(&message.0),
            _ => {}
        }
    }
}

/// The text of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Shows progress as bars.
struct Bars;

impl Progress for Bars {
    fn start(&self, len: usize, what: &str) -> Box<dyn Bar> {
        Box::new(Shown(bar(len, what)))
    }
}

struct Shown(ProgressBar);

impl Bar for Shown {
    fn inc(&self, parts: u64) {
        self.0.inc(parts);
    }

    fn set_position(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

/// Whether results are wanted as JSON.
#[must_use]
pub fn is_json() -> bool {
    style() == Style::Json
}

fn bars() -> &'static MultiProgress {
    BARS.get_or_init(MultiProgress::new)
}

/// A line about what is going on.
pub fn line(text: &str) {
    match style() {
        Style::Human => bars().suspend(|| print_line(text)),
        Style::Quiet => {}
        Style::Json => print_line(&json!({ "message": text }).to_string()),
    }
}

/// The result of a command: printed in every style.
pub fn result(text: &str) {
    bars().suspend(|| print_line(text));
}

/// Something the user should know, though the work goes on.
pub fn warning(text: &str) {
    match style() {
        Style::Human => bars().suspend(|| eprintln!("warning: {text}")),
        Style::Quiet => {}
        Style::Json => eprintln!("{}", json!({ "warning": text })),
    }
}

/// An error, at the end.
pub fn error(error: &anyhow::Error) {
    if is_json() {
        eprintln!("{}", json!({ "error": format!("{error:#}") }));
    } else {
        eprintln!("error: {error:#}");
    }
}

/// A bar over `len` steps on a terminal; nothing elsewhere.
#[must_use]
pub fn bar(len: usize, what: &str) -> ProgressBar {
    if style() != Style::Human || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bars().add(ProgressBar::new(len as u64).with_style(style));
    bar.set_prefix(what.to_owned());
    bar
}
