//! What a component may ask of the host while it runs. Every function also works without a host, in a plugin's own
//! tests.

use std::path::PathBuf;
use std::sync::Mutex;

use abi_stable::std_types::RStr;

use crate::abi::v1::{contain, from_abi, parallel_rounds, services};
use crate::{Error, Result};

/// Writes a line to the run's log. Without a host nothing happens.
pub fn log(message: &str) {
    if let Some(services) = services() {
        (services.log())(RStr::from(message));
    }
}

/// Shows how far something is: a bar on a terminal. Without a host nothing happens.
pub fn progress(what: &str, done: u64, of: u64) {
    if let Some(services) = services() {
        (services.progress())(RStr::from(what), done, of);
    }
}

/// Whether the user asked to stop; long loops should look and return [`Error::Cancelled`](crate::Error::Cancelled).
#[must_use]
pub fn cancelled() -> bool {
    services().is_some_and(|services| (services.cancelled())())
}

/// Start of all random numbers of the run; 0 without a host. Numbers that follow from it alone make a run repeatable.
#[must_use]
pub fn seed() -> u64 {
    services().map_or(0, |services| (services.seed())())
}

/// A folder for files that nobody needs after the run. Without a host the system's folder for temporary files.
///
/// # Errors
/// What the system says.
pub fn scratch_folder() -> Result<PathBuf> {
    match services() {
        Some(services) => from_abi((services.scratch())()).map(|path| PathBuf::from(path.into_string())),
        None => Ok(std::env::temp_dir()),
    }
}

/// Calls `body` with every number below `count` on the host's threads, in any order; without a host one after the
/// other. A plugin that starts threads of its own competes with the host for the same cores.
///
/// # Errors
/// An error of one of the rounds; a panic of one is an error too.
pub fn parallel_for(count: usize, body: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let Some(services) = services() else { return (0..count).try_for_each(body) };
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let round = |index: usize| {
        if let Err(error) = from_abi(contain(|| body(index))) {
            failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error);
        }
    };
    parallel_rounds(services, count, &round);
    failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).map_or(Ok(()), Err)
}
