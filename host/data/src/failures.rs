//! Work over many items of which all failures are reported together.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow, bail};
use rayon::ThreadPool;
use rayon::prelude::*;

/// The values of all results.
///
/// # Errors
/// Returns one error that lists all failures, such as `2 of 5 cases cannot be merged:` with a line for each. `failure` is
/// the part after the numbers.
pub fn all<T>(failure: &str, results: Vec<Result<T>>) -> Result<Vec<T>> {
    let failed = results.iter().filter_map(|result| result.as_ref().err());
    let failed: Vec<String> = failed.map(|error| format!("  {error:#}")).collect();
    none(failure, results.len(), &failed)?;
    results.into_iter().collect()
}

/// Runs `work` on every item, on several threads. A panic is the error of its item, and the others go on.
///
/// # Errors
/// As [`all`].
pub fn each<I: Sync, T: Send>(
    failure: &str,
    items: &[I],
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    all(failure, items.par_iter().map(|item| catching(|| work(item))).collect())
}

/// Runs `work`; a panic becomes an error.
///
/// # Errors
/// Returns the error of `work`, or the message of the panic.
pub fn catching<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(anyhow!("internal error: {}", text.unwrap_or_else(|| "it panicked".to_owned())))
    })
}

/// As many threads as asked for, but no more than the machine has cores: more only take memory.
///
/// # Errors
/// Returns an error if the system has no room for the threads.
pub fn threads(asked: usize) -> Result<ThreadPool> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(rayon::ThreadPoolBuilder::new().num_threads(asked.clamp(1, cores)).build()?)
}

/// Checks that nothing failed. `failed` has a line for each failure among `total` items.
///
/// # Errors
/// As [`all`].
pub fn none(failure: &str, total: usize, failed: &[String]) -> Result<()> {
    if !failed.is_empty() {
        bail!("{} of {total} {failure}:\n{}", failed.len(), failed.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_panic_is_the_error_of_its_item() {
        let work = |item: &u8| if *item == 2 { panic!("as requested") } else { Ok(*item) };
        let error = each("cases failed", &[1, 2, 3], work).unwrap_err().to_string();
        assert_eq!(error, "1 of 3 cases failed:\n  internal error: as requested");
        assert_eq!(catching::<()>(|| Err(anyhow!("plain"))).unwrap_err().to_string(), "plain");
    }

    #[test]
    fn no_number_of_threads_is_too_large() {
        assert!(threads(usize::MAX).unwrap().current_num_threads() >= 1);
        assert_eq!(threads(0).unwrap().current_num_threads(), 1);
    }

    #[test]
    fn failures_are_listed_with_their_causes() {
        assert_eq!(all("cases failed", vec![Ok(1), Ok(2)]).unwrap(), [1, 2]);
        let broken = || Err(anyhow!("broken"));
        let error = all::<()>("cases failed", vec![broken().context("a"), Ok(()), broken()]).unwrap_err();
        assert_eq!(error.to_string(), "2 of 3 cases failed:\n  a: broken\n  broken");
    }
}
