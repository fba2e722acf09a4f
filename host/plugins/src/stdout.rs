//! Standard output, kept for the results of commands: what a plugin prints goes to standard error.

use std::fs::File;
use std::io::{self, Write};
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
///
/// # Errors
/// Returns an I/O error if it cannot be written.
pub fn print_line(text: &str) -> io::Result<()> {
    let line = format!("{text}\n");
    match RESERVED.get() {
        Some(mut output) => output.write_all(line.as_bytes()),
        None => {
            let mut output = io::stdout().lock();
            output.write_all(line.as_bytes())?;
            output.flush()
        }
    }
}
