//! Standard error.

use std::io::{self, Write};

/// Writes a line to standard error. If nobody can read it there, it is lost: there is no other place to report that.
pub(super) fn to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
