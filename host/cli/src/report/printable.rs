//! Text from files, made safe for a terminal.

use std::borrow::Cow;

/// Replaces control characters other than line breaks and tabs by escapes such as `\u{1b}`. A terminal would obey them,
/// and text may come from names and contents of files.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let is_unsafe = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| if is_unsafe(c) { c.escape_unicode().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escaped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(printable("a\x1b[31mb\r\u{9b}c"), "a\\u{1b}[31mb\\u{d}\\u{9b}c");
        assert_eq!(printable("ä\n\tb"), "ä\n\tb");
    }
}
