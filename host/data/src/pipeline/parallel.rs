//! Work over cases: a few at a time, within a budget of memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use nnunet_engine::progress;

use crate::memory::Budget;

/// How much of the machine a step may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Cases at a time.
    pub threads: usize,
    /// Bytes that the cases under way may need together.
    pub max_ram: u64,
}

/// Does something with every case, as many at a time as threads and memory allow. `need` estimates the bytes a case
/// takes; one that needs more than there is runs alone. A case that fails does not stop the others; all failures are
/// reported together.
///
/// Cases run on threads of their own, not on the pool that resampling uses: a thread of the pool that waits for memory
/// could hold up the case it waits for.
///
/// # Errors
/// One error that lists every case that failed.
pub(super) fn for_each_case<T: Send>(
    what: &str,
    cases: &[String],
    limits: Limits,
    need: impl Fn(&str) -> u64 + Sync,
    work: impl Fn(&str) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let bar = progress::start(cases.len(), what);
    let (next, budget) = (AtomicUsize::new(0), Budget::new(limits.max_ram));
    let results: Vec<Mutex<Option<Result<T>>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some(i) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < cases.len()) {
            let _share = budget.take(need(&cases[i]));
            *lock(&results[i]) = Some(work(&cases[i]));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..limits.threads.clamp(1, cases.len().max(1)) {
            scope.spawn(worker);
        }
    });
    drop(bar);
    let results =
        results.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    collect(what, cases, results.collect())
}

fn collect<T>(what: &str, cases: &[String], results: Vec<Result<T>>) -> Result<Vec<T>> {
    let failed: Vec<String> = cases
        .iter()
        .zip(&results)
        .filter_map(|(case, result)| result.as_ref().err().map(|error| format!("  {case}: {error:#}")))
        .collect();
    if !failed.is_empty() {
        bail!("{what}: {} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
    }
    results.into_iter().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("case{i}")).collect()
    }

    #[test]
    fn memory_bounds_how_many_run_at_a_time() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let limits = Limits { threads: 8, max_ram: 100 };
        let done = for_each_case(
            "test",
            &names(40),
            limits,
            |_| 40,
            |case| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(case.to_owned())
            },
        );
        assert_eq!(done.unwrap(), names(40));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_case_larger_than_the_budget_runs_alone() {
        let limits = Limits { threads: 2, max_ram: 10 };
        assert_eq!(for_each_case("test", &names(3), limits, |_| 1000, |_| Ok(1)).unwrap(), [1, 1, 1]);
    }

    #[test]
    fn failures_are_reported_together() {
        let limits = Limits { threads: 2, max_ram: 10 };
        let result = for_each_case(
            "cropping",
            &names(3),
            limits,
            |_| 1,
            |case| match case {
                "case1" => Ok(()),
                _ => bail!("broken"),
            },
        );
        let message = result.unwrap_err().to_string();
        assert_eq!(message, "cropping: 2 of 3 cases failed:\n  case0: broken\n  case2: broken");
    }
}
