//! The style in which messages and results are printed.

use std::sync::OnceLock;

/// How messages and results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Text, and progress bars on a terminal.
    #[default]
    Human,
    /// Results and errors only.
    Quiet,
    /// One JSON object per line.
    Json,
}

static STYLE: OnceLock<Style> = OnceLock::new();

/// Sets the style. Only the first call has an effect.
pub(crate) fn set(style: Style) {
    let _ = STYLE.set(style);
}

/// The style.
pub(super) fn style() -> Style {
    STYLE.get().copied().unwrap_or_default()
}

/// Whether to print JSON.
#[must_use]
pub fn is_json() -> bool {
    style() == Style::Json
}
