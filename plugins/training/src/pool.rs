//! Batches prepared ahead by threads, delivered in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use nnunet_plugin_api::{Error, Result};

use crate::batch::{Batch, BatchPlan, CaseSource};
use crate::engine::{Engine, Run};

/// Validation batches draw from their own random numbers.
const VALIDATION_SEED: u64 = 0x5eed;

/// Training and validation batches from an engine's epoch on.
pub(crate) struct Pools {
    pub(crate) training: BatchPool,
    pub(crate) validation: BatchPool,
}

impl Pools {
    pub(crate) fn new(run: &Run, engine: &Engine) -> Self {
        let blueprint = &engine.trainer.blueprint;
        let (steps, checks) = (blueprint.num_batches_per_epoch, blueprint.num_val_batches_per_epoch);
        let plan =
            BatchPlan { seed: run.validation_plan.seed ^ VALIDATION_SEED, ..run.validation_plan.clone() };
        let (train, validation) = (Arc::clone(&run.train), Arc::clone(&run.validation));
        Self {
            training: BatchPool::new(run.train_plan.clone(), train, (engine.epoch, steps), run.threads),
            validation: BatchPool::new(plan, validation, (engine.epoch, checks.max(1)), 1),
        }
    }
}

/// Batches that may wait, per thread.
const AHEAD: usize = 2;

/// Makes the batches of epochs ahead of their use.
pub(crate) struct BatchPool {
    receiver: Receiver<(usize, Result<Batch>)>,
    waiting: BTreeMap<usize, Result<Batch>>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl BatchPool {
    /// Starts threads that make batch 0, 1, 2, ... where batch n is batch `n % per_epoch` of epoch
    /// `first_epoch + n / per_epoch`.
    pub(crate) fn new(
        plan: BatchPlan,
        source: Arc<dyn CaseSource>,
        (first_epoch, per_epoch): (usize, usize),
        threads: usize,
    ) -> Self {
        let (sender, receiver) = sync_channel(threads * AHEAD);
        let (plan, counter) = (Arc::new(plan), Arc::new(AtomicUsize::new(0)));
        let work = |sender: SyncSender<(usize, Result<Batch>)>| {
            let (plan, source, counter) = (Arc::clone(&plan), Arc::clone(&source), Arc::clone(&counter));
            std::thread::spawn(move || {
                loop {
                    let n = counter.fetch_add(1, Ordering::Relaxed);
                    let batch = plan.make(&*source, first_epoch + n / per_epoch.max(1), n % per_epoch.max(1));
                    // Nobody listens any more: the run is over.
                    if sender.send((n, batch)).is_err() {
                        return;
                    }
                }
            })
        };
        let threads = (0..threads).map(|_| work(sender.clone())).collect();
        Self { receiver, waiting: BTreeMap::new(), next: 0, threads }
    }

    /// The next batch in order.
    pub(crate) fn next(&mut self) -> Result<Batch> {
        let batch = loop {
            if let Some(batch) = self.waiting.remove(&self.next) {
                break batch;
            }
            let (n, batch) =
                self.receiver.recv().map_err(|_| Error::message("the threads that make batches ended"))?;
            self.waiting.insert(n, batch);
        };
        self.next += 1;
        batch
    }
}

impl Drop for BatchPool {
    fn drop(&mut self) {
        let (_, closed) = sync_channel(0);
        self.receiver = closed;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
