//! What the user sees: messages, results, warnings, errors and progress bars.

mod bars;
mod events;
mod messages;
mod printable;
mod stderr;
mod style;
mod table;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use nnunet_engine::lock::lock;
use nnunet_engine::stdout::print_line;
use serde_json::{Map, Value, json};

pub use bars::bar;
use bars::bars;
use printable::printable;
use stderr::to_stderr;
pub(crate) use style::set as set_style;
pub use style::{Style, is_json};
pub use table::table;

/// The first failure to print a result.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Sets the style, and shows the messages and the progress of libraries in it. `verbosity` is the number of `-v`: one
/// adds debug messages, two add all others. All messages are also written to `log_file`. Only the first call has an
/// effect.
///
/// # Errors
/// Returns an error if the log file cannot be created.
pub fn start(style: Style, verbosity: u8, log_file: Option<&Path>) -> Result<()> {
    style::set(style);
    messages::subscribe(verbosity, log_file)?;
    bars::show_progress_of_libraries();
    Ok(())
}

/// `1 case`, `2 cases`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A message about the progress of the work.
pub fn line(text: &str) {
    tracing::info!("{text}");
}

/// A warning: the work goes on.
pub fn warning(text: &str) {
    tracing::warn!("{text}");
}

/// A result of a command: printed in every style. The first failure to do so is returned by [`finish`].
pub fn result(text: &str) {
    let mut failure = lock(&FAILURE);
    if failure.is_none() {
        let text = printable(text);
        *failure = bars().suspend(|| print_line(&text)).err();
    }
}

/// What a line of a log has said already, as a result: printed where such lines are not.
pub fn quiet_result(text: &str) {
    if style::style() == Style::Quiet {
        result(text);
    }
}

/// A result of a command: an event with these fields, or text, according to the style.
pub fn record(event: &str, fields: &Value, text: &str) {
    if is_json() { result(&events::line(event, fields)) } else { result(text) }
}

/// An event for programs; people see something else.
pub fn event(event: &str, fields: &Value) {
    if is_json() {
        result(&events::line(event, fields));
    }
}

/// Prints a line of `--json` of another process of this program as an event of this one, with one more field; false for
/// other lines, and in other styles.
pub(crate) fn pass_on(line: &str, field: &str, value: usize) -> bool {
    let parsed = serde_json::from_str::<Map<String, Value>>(line).ok().filter(|_| is_json());
    let Some(mut fields) = parsed else { return false };
    let Some(Value::String(name)) = fields.remove("event") else { return false };
    fields.insert(field.to_owned(), value.into());
    event(&name, &Value::Object(fields));
    true
}

/// Arguments that cannot be used: clap's message, or the same as an event.
pub fn usage_error(text: &str, exit_code: i32) {
    to_stderr(&if is_json() { failure(text.trim_end(), exit_code) } else { text.trim_end().to_owned() });
}

fn failure(text: &str, exit_code: i32) -> String {
    events::line("error", &json!({ "text": text, "exit_code": exit_code }))
}

/// To be called at the end of the process: whether all results could be printed. A reader that has closed its end of a
/// pipe, as `head` does, is no failure.
///
/// # Errors
/// Returns the first error of writing to standard output.
pub fn finish() -> Result<()> {
    match lock(&FAILURE).take() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the results")
        }
        _ => Ok(()),
    }
}

/// The error a command ended with.
pub fn error(error: &anyhow::Error) {
    let text = format!("{error:#}");
    to_stderr(&if is_json() { failure(&text, 1) } else { format!("error: {}", printable(&text)) });
}
