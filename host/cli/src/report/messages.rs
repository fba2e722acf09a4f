//! Messages: `tracing` events of this program's crates, shown in the chosen style and written to the log file.

use std::fs::File;
use std::path::Path;
use std::sync::Once;

use anyhow::{Context as _, Result};
use nnunet_engine::stdout::print_line;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::bars::bars;
use super::events::line;
use super::printable::printable;
use super::stderr::to_stderr;
use super::style::{Style, style};

/// All crates of this program begin with this.
const OWN_CRATES: &str = "nnunet";

/// From now on shows all events of this program's crates up to a level, and writes them to a log file.
pub(super) fn subscribe(verbosity: u8, log_file: Option<&Path>) -> Result<()> {
    let level = match verbosity {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let own = || Targets::new().with_target(OWN_CRATES, level);
    let file = log_file.map(|path| File::create(path).with_context(|| path.display().to_string()));
    let file = file.transpose()?.map(|file| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(verbosity > 0);
        layer.with_writer(file).with_filter(own())
    });
    let subscriber = tracing_subscriber::registry().with(Messages.with_filter(own())).with(file);
    // A second call has no effect.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}

struct Messages;

impl<S: Subscriber> Layer<S> for Messages {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        match *event.metadata().level() {
            Level::INFO => show_message(&message.0),
            Level::WARN | Level::ERROR => show_warning(&message.0),
            _ => show_detail(&message.0),
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

fn show_message(text: &str) {
    let printed = match style() {
        Style::Human => bars().suspend(|| print_line(&printable(text))),
        Style::Quiet => Ok(()),
        Style::Json => print_line(&line("message", &json!({ "text": text }))),
    };
    // A long computation goes on when nobody reads its messages any more.
    if let Err(error) = printed {
        static ONCE: Once = Once::new();
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            ONCE.call_once(|| to_stderr(&format!("warning: messages are lost: standard output: {error}")));
        }
    }
}

fn show_warning(text: &str) {
    match style() {
        Style::Human => bars().suspend(|| to_stderr(&format!("warning: {}", printable(text)))),
        Style::Quiet => {}
        Style::Json => to_stderr(&line("warning", &json!({ "text": text }))),
    }
}

fn show_detail(text: &str) {
    match style() {
        Style::Human => bars().suspend(|| to_stderr(&printable(text))),
        Style::Quiet => {}
        Style::Json => to_stderr(&line("detail", &json!({ "text": text }))),
    }
}
