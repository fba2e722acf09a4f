//! What the user sees while the program works: lines, and a bar when a terminal is there.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the place that prints")]

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

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

/// Sets the style, once, at the start.
pub fn set_style(style: Style) {
    let _ = STYLE.set(style);
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
        Style::Human => bars().suspend(|| print(text)),
        Style::Quiet => {}
        Style::Json => print(&json!({ "message": text }).to_string()),
    }
}

/// The result of a command: printed in every style.
pub fn result(text: &str) {
    bars().suspend(|| print(text));
}

static OWN_OUTPUT: OnceLock<File> = OnceLock::new();

/// From here on standard output is this module's alone: whatever a plugin or a library prints there goes to standard
/// error, so that results stay what a script expects.
pub fn keep_output() {
    if OWN_OUTPUT.get().is_some() {
        return;
    }
    let own = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3);
    let own = own.and_then(|own| rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map(|()| own));
    // Without a standard output there is nothing to keep.
    if let Ok(own) = own {
        let _ = OWN_OUTPUT.set(File::from(own));
    }
}

fn print(text: &str) {
    match OWN_OUTPUT.get() {
        // Nobody reads any more: there is nobody to tell.
        Some(mut output) => drop(writeln!(output, "{text}")),
        None => println!("{text}"),
    }
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

/// The local time in `strftime`'s words.
#[must_use]
pub fn now(format: &str) -> String {
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::system());
    now.strftime(format).to_string()
}

/// A value as it is written in TOML, on one line. What TOML cannot say (null) is left out.
#[must_use]
pub fn toml(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let pairs = table.iter().filter(|(_, value)| !value.is_null());
            let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        plain => plain.to_string(),
    }
}
