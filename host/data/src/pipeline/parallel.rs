//! Steps over all cases of a task: several cases at a time, within a limit of memory.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use nnunet_engine::lock::lock;
use nnunet_engine::progress;

use crate::failures;
use crate::memory::{self, Budget};

/// How much of the machine a step may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Number of cases at a time.
    pub threads: usize,
    /// Bytes that the cases being processed may need together.
    pub max_ram: u64,
}

/// A step of the pipeline that is done for every case.
pub(crate) trait CaseStep: Sync {
    /// The result for a case.
    type Output: Send;

    /// The name of the step in messages.
    fn name(&self) -> String;

    /// Estimates how many bytes a case needs.
    fn memory(&self, case: &str) -> u64;

    /// Does the step for a case.
    fn run(&self, case: &str) -> Result<Self::Output>;
}

/// Does a step for every case, for as many at a time as threads and memory allow. A case that needs more memory than
/// there is runs alone. A case that fails does not stop the others; all failures are reported together.
///
/// Cases run on threads of their own, not on the pool that resampling uses: a thread of the pool that waits for memory
/// could hold up the case it waits for.
///
/// # Errors
/// Returns one error that lists every case that failed.
pub(crate) fn for_each_case<S: CaseStep>(
    step: &S,
    cases: &[String],
    limits: Limits,
) -> Result<Vec<S::Output>> {
    let name = step.name();
    let bar = progress::start(cases.len(), &name);
    let (next, budget) = (AtomicUsize::new(0), Budget::new(limits.max_ram));
    let most = memory::default_budget();
    let results: Vec<Mutex<Option<Result<S::Output>>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some(i) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < cases.len()) {
            let bytes = step.memory(&cases[i]);
            let _share = budget.take(bytes);
            tracing::debug!("{name}: {}", cases[i]);
            let result = fits(bytes, most).and_then(|()| failures::catching(|| step.run(&cases[i])));
            *lock(&results[i]) = Some(result);
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        // This thread works too: the step is done even if the system has no room for another one.
        for _ in 1..limits.threads.min(cases.len()) {
            if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, worker) {
                tracing::warn!("{name}: fewer cases at a time than asked for: {error}");
                break;
            }
        }
        worker();
    });
    drop(bar);
    let results =
        results.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    let named = cases.iter().zip(results).map(|(case, result)| result.with_context(|| case.clone()));
    failures::all(&format!("cases failed ({name})"), named.collect())
}

/// Estimates are at most so many times too large.
const EXAGGERATION: u64 = 4;

/// Checks that a case that is estimated to need `bytes` can fit into the `free` memory of the machine at all.
fn fits(bytes: u64, free: u64) -> Result<()> {
    ensure!(
        bytes / EXAGGERATION <= free,
        "it would take about {} of memory, and {} are free; are its size and spacing right?",
        memory::readable(bytes),
        memory::readable(free)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    /// Needs as much memory for every case, and counts how many run at a time.
    #[derive(Default)]
    struct Counting {
        memory: u64,
        running: AtomicUsize,
        most: AtomicUsize,
    }

    impl CaseStep for Counting {
        type Output = String;

        fn name(&self) -> String {
            "counting".to_owned()
        }

        fn memory(&self, _case: &str) -> u64 {
            self.memory
        }

        fn run(&self, case: &str) -> Result<String> {
            let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(1));
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(case.to_owned())
        }
    }

    /// Fails for all cases but one.
    struct Failing;

    impl CaseStep for Failing {
        type Output = ();

        fn name(&self) -> String {
            "cropping".to_owned()
        }

        fn memory(&self, _case: &str) -> u64 {
            1
        }

        fn run(&self, case: &str) -> Result<()> {
            if case == "case1" { Ok(()) } else { bail!("broken") }
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|i| format!("case{i}")).collect()
    }

    #[test]
    fn memory_bounds_how_many_run_at_a_time() {
        let step = Counting { memory: 40, ..Counting::default() };
        let done = for_each_case(&step, &names(40), Limits { threads: 8, max_ram: 100 });
        assert_eq!(done.unwrap(), names(40));
        assert!(step.most.load(Ordering::SeqCst) <= 2);
    }

    #[test]
    fn a_case_larger_than_the_budget_runs_alone() {
        let step = Counting { memory: 1000, ..Counting::default() };
        for_each_case(&step, &names(3), Limits { threads: 2, max_ram: 10 }).unwrap();
        assert_eq!(step.most.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_case_larger_than_the_machine_is_refused_by_name() {
        let step = Counting { memory: 1 << 50, ..Counting::default() };
        let error = for_each_case(&step, &names(1), Limits { threads: 2, max_ram: 10 }).unwrap_err();
        assert!(error.to_string().contains("case0: it would take about 1048576.0 GB"), "{error}");
        assert_eq!(step.most.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn failures_are_reported_together() {
        let result = for_each_case(&Failing, &names(3), Limits { threads: 2, max_ram: 10 });
        let message = result.unwrap_err().to_string();
        assert_eq!(message, "2 of 3 cases failed (cropping):\n  case0: broken\n  case2: broken");
    }
}
