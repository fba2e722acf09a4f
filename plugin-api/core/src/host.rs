//! Services of the program that runs a component (the host). Every function also works without a host, for example in
//! the tests of a plugin.

use std::path::PathBuf;
use std::sync::Mutex;

use abi_stable::std_types::RStr;

use crate::abi::v1::{contain, from_abi, parallel_rounds, services};
use crate::{Error, Result};

/// Writes a line to the run's log. Without a host nothing happens.
///
/// ```
/// nnunet_plugin_api::host::log("three cases have no foreground");
/// ```
pub fn log(message: &str) {
    if let Some(services) = services() {
        (services.log())(RStr::from(message));
    }
}

/// Reports that `done` of `of` steps of `what` are done; a terminal shows a progress bar. Without a host nothing
/// happens.
///
/// ```
/// for case in 0..3 {
///     nnunet_plugin_api::host::progress("collecting intensities", case, 3);
/// }
/// ```
pub fn progress(what: &str, done: u64, of: u64) {
    if let Some(services) = services() {
        (services.progress())(RStr::from(what), done, of);
    }
}

/// Whether the user asked to stop. Long loops should ask in every round and return
/// [`Error::Cancelled`](crate::Error::Cancelled). Without a host it is `false`.
///
/// ```
/// use nnunet_plugin_api::{Error, Result, host};
///
/// fn sum(values: &[f64]) -> Result<f64> {
///     let mut sum = 0.0;
///     for value in values {
///         if host::cancelled() {
///             return Err(Error::Cancelled);
///         }
///         sum += value;
///     }
///     Ok(sum)
/// }
/// assert_eq!(sum(&[1.0, 2.0]).unwrap(), 3.0);
/// ```
#[must_use]
pub fn cancelled() -> bool {
    services().is_some_and(|services| (services.cancelled())())
}

/// The random seed of the run; 0 without a host. A component that draws its random numbers from this seed only is
/// reproducible.
///
/// ```
/// use nnunet_plugin_api::{RandomStream, host};
///
/// let order = RandomStream::from_seed(host::seed()).permutation(5);
/// assert_eq!(order.len(), 5);
/// ```
#[must_use]
pub fn seed() -> u64 {
    services().map_or(0, |services| (services.seed())())
}

/// A folder for files that are not needed after the run. Without a host it is the system's folder for temporary files.
///
/// ```
/// let folder = nnunet_plugin_api::host::scratch_folder().unwrap();
/// assert!(folder.is_absolute());
/// ```
///
/// # Errors
/// Returns an error if the folder cannot be made.
pub fn scratch_folder() -> Result<PathBuf> {
    match services() {
        Some(services) => from_abi((services.scratch())()).map(|path| PathBuf::from(path.into_string())),
        None => Ok(std::env::temp_dir()),
    }
}

/// Calls `body` with every number below `count` on the host's threads, in any order, and returns when all calls are
/// done. Without a host the calls are made one after the other. A plugin that starts threads of its own competes with
/// the host for the same cores.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sum = AtomicUsize::new(0);
/// nnunet_plugin_api::host::parallel_for(4, |index| {
///     sum.fetch_add(index, Ordering::Relaxed);
///     Ok(())
/// }).unwrap();
/// assert_eq!(sum.into_inner(), 0 + 1 + 2 + 3);
/// ```
///
/// # Errors
/// Returns the error of one of the calls. A panic in `body` is an error too.
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
