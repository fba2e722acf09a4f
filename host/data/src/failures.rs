//! Work over many items of which all failures are reported together.

use anyhow::{Result, bail};

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
    fn failures_are_listed_with_their_causes() {
        assert_eq!(all("cases failed", vec![Ok(1), Ok(2)]).unwrap(), [1, 2]);
        let broken = || Err(anyhow!("broken"));
        let error = all::<()>("cases failed", vec![broken().context("a"), Ok(()), broken()]).unwrap_err();
        assert_eq!(error.to_string(), "2 of 3 cases failed:\n  a: broken\n  broken");
    }
}
