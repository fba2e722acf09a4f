//! Standard output, kept for the results of commands: what a plugin prints goes to standard error.
#![allow(clippy::print_stdout, reason = "this is the place that prints")]

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

static RESERVED: OnceLock<File> = OnceLock::new();

/// From now on only [`print_line`] writes to standard output. Whatever a plugin or a library prints there goes to
/// standard error, so that scripts can read the results.
pub fn reserve() {
    if RESERVED.get().is_some() {
        return;
    }
    let own = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3);
    let own = own.and_then(|own| rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map(|()| own));
    // This fails only in a process without a standard output.
    if let Ok(own) = own {
        let _ = RESERVED.set(File::from(own));
    }
}

/// Prints a line.
pub fn print_line(text: &str) {
    match RESERVED.get() {
        // The reader may have gone; the work goes on.
        Some(mut output) => drop(writeln!(output, "{text}")),
        None => println!("{text}"),
    }
}
