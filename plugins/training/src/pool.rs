//! Batches prepared ahead by threads, delivered in order.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::{Batch, Error, Result};

use crate::batch::BatchPlan;
use crate::batch_on_device::OnDevice;
use crate::case_source::CaseSource;
use crate::sampling::lock;
use crate::state::{Engine, Run};

/// Validation batches draw from their own random numbers.
const VALIDATION_SEED: u64 = 0x5eed;

/// Training and validation batches from an engine's epoch on.
pub(crate) struct Pools {
    pub(crate) training: BatchPool,
    pub(crate) validation: BatchPool,
    /// Training steps on a GPU are recorded.
    pub(crate) uses_graphs: bool,
}

impl Pools {
    pub(crate) fn new(run: &Run, engine: &Engine) -> Result<Self> {
        let blueprint = &engine.trainer.blueprint;
        let device = engine.store.device();
        let (steps, checks) = (blueprint.num_batches_per_epoch, blueprint.num_val_batches_per_epoch);
        let plan =
            BatchPlan { seed: run.validation_plan.seed ^ VALIDATION_SEED, ..run.validation_plan.clone() };
        let (train, validation) = (Arc::clone(&run.train), Arc::clone(&run.validation));
        let validation = BatchPool::new(plan, validation, (engine.epoch, checks.max(1)), 1, device)?;
        // Its sampler is told no losses.
        validation.allow(usize::MAX);
        Ok(Self {
            training: BatchPool::new(
                BatchPlan { sampler: engine.sampler.clone(), ..run.train_plan.clone() },
                train,
                (engine.epoch, steps),
                run.threads,
                device,
            )?,
            validation,
            uses_graphs: run.uses_graphs,
        })
    }
}

/// Batches that may wait, per thread.
const AHEAD: usize = 2;

/// The last epoch of which batches may be made, for samplers that learn.
struct Allowed {
    epoch: Mutex<usize>,
    changed: Condvar,
}

impl Allowed {
    fn new(epoch: usize) -> Self {
        Self { epoch: Mutex::new(epoch), changed: Condvar::new() }
    }

    fn wait_for(&self, epoch: usize) {
        let allowed = lock(&self.epoch);
        let waited = self.changed.wait_while(allowed, |allowed| *allowed < epoch);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn allow(&self, epoch: usize) {
        let mut allowed = lock(&self.epoch);
        *allowed = epoch.max(*allowed);
        self.changed.notify_all();
    }
}

/// Makes the batches of epochs ahead of their use. Thread t of T makes batch t, t + T, t + 2T, ...: no more than a few
/// per thread are ever waiting, however long one takes.
pub(crate) struct BatchPool {
    receivers: Vec<Receiver<Result<Batch>>>,
    allowed: Arc<Allowed>,
    next: usize,
    threads: Vec<JoinHandle<()>>,
}

impl BatchPool {
    /// Starts threads that make batch 0, 1, 2, ... where batch n is batch `n % per_epoch` of epoch
    /// `first_epoch + n / per_epoch`, in memory from which it gets to the device without waiting.
    pub(crate) fn new(
        plan: BatchPlan,
        source: Arc<dyn CaseSource>,
        (first_epoch, per_epoch): (usize, usize),
        threads: usize,
        device: Device,
    ) -> Result<Self> {
        let (plan, per_epoch) = (Arc::new(plan), per_epoch.max(1));
        let allowed = if plan.sampler.learns() { first_epoch } else { usize::MAX };
        let allowed = Arc::new(Allowed::new(allowed));
        let start = |thread: usize| -> Result<_> {
            let (sender, receiver) = sync_channel(AHEAD);
            let (plan, source, allowed) = (Arc::clone(&plan), Arc::clone(&source), Arc::clone(&allowed));
            let work = move || {
                for n in (thread..).step_by(threads) {
                    let epoch = first_epoch + n / per_epoch;
                    allowed.wait_for(epoch);
                    let batch = plan.make(&*source, epoch, n % per_epoch);
                    let batch = batch.and_then(|batch| batch.pinned_for(device));
                    // Nobody listens any more: the run is over.
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            };
            let name = format!("batches {thread}");
            let started = std::thread::Builder::new().name(name).spawn(work);
            let thread = started.map_err(|error| {
                Error::message(format!(
                    "cannot start {threads} threads that make batches: {error}; set nnUNet_n_proc_DA to fewer"
                ))
            })?;
            Ok((receiver, thread))
        };
        let started: Vec<_> = (0..threads).map(start).collect::<Result<_>>()?;
        let (receivers, threads) = started.into_iter().unzip();
        Ok(Self { receivers, allowed, next: 0, threads })
    }

    /// Batches of this epoch may be made: what the sampler learns before it is known.
    pub(crate) fn allow(&self, epoch: usize) {
        self.allowed.allow(epoch);
    }

    /// The next batch in order.
    pub(crate) fn next(&mut self) -> Result<Batch> {
        let receiver = &self.receivers[self.next % self.receivers.len()];
        self.next += 1;
        receiver.recv().map_err(|_| Error::message("the threads that make batches ended"))?
    }
}

impl Drop for BatchPool {
    fn drop(&mut self) {
        self.receivers.clear();
        self.allow(usize::MAX);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
