//! A device's cases one after the other through three stages that work at the same time: preprocessing, network, export. Bounded
//! queues between them, and a share of the memory for each case from its beginning to its end, hold a stage back that
//! is ahead of the next one.

use std::num::NonZeroUsize;
use std::path::Path;
use std::slice::Iter;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use indicatif::ProgressBar;
use ndarray::ArrayView4;
use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use nnunet_data::failures::catching;
use nnunet_data::images;
use nnunet_data::memory::{self, Budget, Share};
use nnunet_engine::lock::lock;
use nnunet_inference::{SlidingWindow, is_out_of_memory, predict_rows, resample_on, tile_count, to_tensor};
use nnunet_numerics::{Resampling, resampling_elsewhere};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::CaseProperties;
use nnunet_plugin_api::{Error as ComponentError, Network};

use super::prediction_records::{Records, Seconds};
use super::unlike::Comparison;
use crate::case::{Case, PreparedCase};
use crate::export::{Export, Places};
use crate::family::CaseProcessing;
use crate::memory_plan::{Plan, is_faster_on_device, least_bytes};
use crate::on_device::OnDevice;

/// Cases, and slabs of a case, that wait between two stages.
const WAITING: usize = 1;

/// Cases that the stages around the network take at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threads {
    preprocessing: usize,
    export: usize,
}

impl Threads {
    /// As many as asked for, but no more than there are cases.
    pub(crate) fn of(args: &Args, cases: usize) -> Self {
        let threads = |asked: NonZeroUsize| asked.get().min(cases.max(1));
        Self {
            preprocessing: threads(args.num_threads_preprocessing),
            export: threads(args.num_threads_nifti_save),
        }
    }

    /// Cases under way: before the network, waiting for it, in it, and behind it.
    pub(crate) fn at_once(self) -> u64 {
        (self.preprocessing + WAITING + 1 + self.export) as u64
    }
}

/// The cases of a run, from which each device takes the next one when it is free.
pub(crate) struct Waiting<'a> {
    cases: Mutex<Iter<'a, &'a Case>>,
    bar: ProgressBar,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(cases: &'a [&'a Case]) -> Self {
        Self { cases: Mutex::new(cases.iter()), bar: report::bar(cases.len(), "predicting") }
    }

    /// The next case, for one of several threads.
    fn next(&self) -> Option<&'a Case> {
        lock(&self.cases).next().copied()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The way of cases over a device.
pub(crate) struct Pipeline<'a> {
    pub(crate) processing: &'a dyn CaseProcessing,
    pub(super) comparison: Comparison<'a>,
    pub(crate) window: &'a SlidingWindow,
    pub(crate) records: &'a Records,
    /// The device's name.
    pub(crate) device: String,
    pub(crate) plan: Plan,
    pub(crate) threads: Threads,
    /// Where temporary files go.
    pub(crate) folder: &'a Path,
    /// Bytes that a case may take at most: what the machine has free, or the user's limit.
    pub(crate) available: u64,
    /// Channels of the network's input.
    pub(crate) channels: usize,
    /// What lies on the GPU; none on the CPU.
    pub(crate) on_device: Option<OnDevice>,
    /// Held while an image is resampled on the GPU, for which the plan has room once.
    pub(crate) one_at_a_time: Arc<Mutex<()>>,
}

/// A preprocessed case.
struct Ready<'a> {
    case: &'a Case,
    prepared: PreparedCase,
    seconds: Seconds,
    share: Share<'a>,
}

/// A case whose scores arrive.
struct Leaving<'a> {
    case: &'a Case,
    properties: CaseProperties,
    export: Export<'a>,
    rows: Receiver<Message>,
    seconds: Seconds,
    tiles: usize,
    _share: Share<'a>,
}

/// Sent from the network to the export.
enum Message {
    /// Rows, the first of this index.
    Rows(usize, Tensor),
    /// All rows have been sent; the network took so many seconds.
    End(f64),
    /// There will be no more.
    Failed(String),
}

impl Pipeline<'_> {
    /// Predicts waiting cases until there are none; the records hold the outcome of each.
    pub(crate) fn run(&self, waiting: &Waiting<'_>, networks: &[&dyn Network]) -> Result<()> {
        let budget = Budget::new(self.plan.budget);
        std::thread::scope(|scope| {
            let (to_network, ready) = sync_channel(WAITING);
            let (to_export, leaving) = sync_channel(WAITING);
            let budget = &budget;
            // The queue is gone with the last thread that takes from it, so that nobody waits for a dead one.
            let leaving = Arc::new(Mutex::new(leaving));
            let mut others = Vec::new();
            for _ in 0..self.threads.preprocessing {
                let to_network = to_network.clone();
                let work = move || self.prepare_all(waiting, budget, to_network);
                others.push(std::thread::Builder::new().spawn_scoped(scope, work)?);
            }
            drop(to_network);
            for _ in 0..self.threads.export {
                let leaving = Arc::clone(&leaving);
                let work = move || self.export_all(&leaving, &waiting.bar);
                others.push(std::thread::Builder::new().spawn_scoped(scope, work)?);
            }
            drop(leaving);
            let done = self.run_networks(ready, to_export, networks);
            others.into_iter().map(joined).fold(done, Result::and)
        })
    }

    /// Takes one waiting case after the other.
    fn prepare_all<'a: 'b, 'b>(
        &self,
        waiting: &Waiting<'a>,
        budget: &'b Budget,
        next: SyncSender<Ready<'b>>,
    ) -> Result<()> {
        loop {
            // Memory comes first: a case that was taken could otherwise wait here while another device is free.
            let share = budget.take(self.plan.case);
            let Some(case) = waiting.next() else { return Ok(()) };
            let start = Instant::now();
            self.records.note(&case.name, self.comparison.warn(case));
            match catching(|| self.preprocess(case)) {
                Ok(prepared) => {
                    let seconds = Seconds { preprocess: since(start), ..Seconds::default() };
                    if next.send(Ready { case, prepared, seconds, share }).is_err() {
                        return Ok(());
                    }
                }
                Err(error) => self.failed(case, &format!("{error:#}"), Seconds::default(), 0)?,
            }
        }
    }

    /// Preprocesses a case, unless its grid cannot fit into memory.
    fn preprocess(&self, case: &Case) -> Result<PreparedCase> {
        if let Some(geometry) = case.images.first().and_then(|image| images::read_geometry(image).ok()) {
            let size = self.processing.network_size(&geometry);
            let bytes = least_bytes(size, self.channels);
            ensure!(
                bytes <= self.available,
                "on the network's grid it has {size:?} voxels (z, y, x), which takes {}, and {} may be used (--max_ram); its \
                 spacing is {:?} mm (z, y, x): is that right?",
                memory::readable(bytes),
                memory::readable(self.available),
                geometry.spacing_zyx()
            );
        }
        self.preprocess_with_device(case)
    }

    /// Preprocesses a case; large images are resampled on the GPU where the plan has room for one channel at a time.
    fn preprocess_with_device(&self, case: &Case) -> Result<PreparedCase> {
        let device = self.window.device;
        if !self.on_device.is_some_and(|plan| plan.images) {
            return self.processing.preprocess(case);
        }
        let one_at_a_time = Arc::clone(&self.one_at_a_time);
        let on_device = move |image: ArrayView4<'_, f32>, shape: [usize; 3], how: Resampling| {
            let (_, z, y, x) = image.dim();
            if !is_faster_on_device([z, y, x], shape) {
                return None;
            }
            let _alone = lock(&one_at_a_time);
            // What the device cannot do the processor can.
            resample_on(device, image, shape, how).ok()
        };
        resampling_elsewhere(on_device, || self.processing.preprocess(case))
    }

    fn run_networks<'a>(
        &'a self,
        ready: Receiver<Ready<'a>>,
        next: SyncSender<Leaving<'a>>,
        networks: &[&dyn Network],
    ) -> Result<()> {
        for Ready { case, prepared, seconds, share } in ready {
            let PreparedCase { image, properties, resampler } = prepared;
            let tiles = tile_count(resampler.network, &self.window.patch, self.window.step);
            let export = catching(|| Export::new(self.processing, resampler, &properties, self.places()));
            let export = match export {
                Ok(export) => export,
                Err(error) => {
                    self.failed(case, &format!("{error:#}"), seconds, tiles)?;
                    continue;
                }
            };
            let (send, rows) = sync_channel(WAITING);
            let leaving = Leaving { case, properties, export, rows, seconds, tiles, _share: share };
            if next.send(leaving).is_err() {
                return Ok(());
            }
            let image = to_tensor(image.view()).map(|tensor| (drop(image), tensor).1);
            self.network(networks, image, &send);
        }
        Ok(())
    }

    fn places(&self) -> Places<'_> {
        Places {
            storage: &self.window.folds,
            volumes_on_device: self.on_device.is_some_and(|plan| plan.volumes),
            folder: self.folder,
        }
    }

    /// Sends the rows of a case, then its end. A receiver that is gone has said why.
    fn network(
        &self,
        networks: &[&dyn Network],
        image: nnunet_plugin_api::Result<Tensor>,
        to: &SyncSender<Message>,
    ) {
        let start = Instant::now();
        let gone = |_| ComponentError::message("the export of the case ended early");
        let done = catching(|| {
            predict_rows(networks, &image?, self.window, &mut |first, rows| {
                to.send(Message::Rows(first, rows)).map_err(gone)
            })
            .map_err(anyhow::Error::from)
        });
        nnunet_torch_ops::trim_tensor_memory(self.plan.unused() as usize);
        let last = match done {
            Ok(()) => Message::End(since(start)),
            Err(error) => Message::Failed(self.explained(&error)),
        };
        let _ = to.send(last);
    }

    /// What to do where even one tile did not fit on the GPU.
    fn explained(&self, error: &anyhow::Error) -> String {
        match self.on_device.filter(|_| is_out_of_memory(error)) {
            Some(plan) => {
                let needed = memory::readable(plan.least);
                format!(
                    "the GPU's memory does not suffice for one tile: {needed} are needed, as --max-vram {needed}; free \
                     memory there, or use --device cpu ({error:#})"
                )
            }
            None => format!("{error:#}"),
        }
    }

    fn export_all(&self, leaving: &Mutex<Receiver<Leaving<'_>>>, bar: &ProgressBar) -> Result<()> {
        while let Some(case) = received(leaving) {
            self.export(case)?;
            bar.inc(1);
        }
        Ok(())
    }

    fn export(&self, leaving: Leaving<'_>) -> Result<()> {
        let Leaving { case, properties, mut export, rows, mut seconds, tiles, _share } = leaving;
        let mut busy = 0.0;
        let result = catching(|| {
            for message in rows {
                let start = Instant::now();
                match message {
                    Message::Rows(first, rows) => export.push(first, &rows)?,
                    Message::End(network) => {
                        seconds.network = network;
                        export.finish(&properties, case)?;
                        seconds.export = busy + since(start);
                        return Ok(());
                    }
                    Message::Failed(error) => return Err(anyhow!(error)),
                }
                busy += since(start);
            }
            Err(anyhow!("the network ended early"))
        });
        match result {
            Ok(()) => {
                report::line(&format!("predicted {}", case.output.display()));
                self.records.add(&case.name, None, seconds, tiles, &self.device)
            }
            Err(error) => self.failed(case, &format!("{error:#}"), seconds, tiles),
        }
    }

    fn failed(&self, case: &Case, error: &str, seconds: Seconds, tiles: usize) -> Result<()> {
        report::line(&format!("{} failed: {error}", case.name));
        self.records.add(&case.name, Some(error.to_owned()), seconds, tiles, &self.device)
    }
}

/// The next message, for one of several threads.
fn received<T>(from: &Mutex<Receiver<T>>) -> Option<T> {
    lock(from).recv().ok()
}

pub(super) fn joined(thread: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| Err(anyhow!("a stage of the prediction panicked")))
}

fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}
