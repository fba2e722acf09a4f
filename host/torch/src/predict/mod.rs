//! `predict`: label maps for a folder of images.
//!
//! A model of v1 or v2 is a [`Method`](method::Method) (before and after the network), its networks, and a sliding
//! window; [`drive`] takes cases through the [`Pipeline`](pipeline::Pipeline).

mod export;
mod inputs;
mod method;
mod on_device;
mod pipeline;
mod plan;
mod record;
mod source;
mod spool;
mod v1;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use nnunet_cli::commands::predict::{AllInGpu, Args, Mode, Precision as Format};
use nnunet_cli::{pictures, report};
use nnunet_data::folders;
use nnunet_data::memory;
use nnunet_engine::session::Session;
use nnunet_inference::{SlidingWindow, Storage};
use nnunet_plugin_api::Network;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Precision;
use rayon::prelude::*;

pub(crate) use export::Export;
pub(crate) use inputs::cases;
pub(crate) use method::{Case, Keep, Method, Prepared, Resampled};
use on_device::OnDevice;
use pipeline::{Pipeline, Threads};
use plan::Plan;
pub(crate) use plan::{Sizes, largest};
use record::{Common, Records};
use source::Source;

use crate::{cascade, devices, v2};

/// Runs the command. A case that fails is reported, the others go on; the command then fails.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    let device = devices::resolve(args.device)?;
    if let Some(first) = cascade::predict_first(args)? {
        run(&first, session)?;
    }
    let source = Source::of(args)?;
    let folder = source.folder();
    ensure!(args.part_id < args.num_parts, "--part_id must be below --num_parts");
    ensure!(
        args.mode == Mode::Normal || !args.save_npz,
        "probabilities (-z) are only there in --mode normal"
    );
    ensure!(args.step_size > 0.0 && args.step_size <= 1.0, "--step_size must be larger than 0 and at most 1");
    folders::create(&args.output)?;
    if nnunet_data::v2::is_v2(folder) {
        v2::run(args, session, folder, device)
    } else {
        v1::run(args, session, folder, device)
    }
}

/// The number format asked for.
pub(crate) fn precision(args: &Args) -> Precision {
    match args.precision {
        _ if args.disable_mixed_precision => Precision::Fp32,
        Format::Auto => Precision::Auto,
        Format::Fp32 => Precision::Fp32,
        Format::Bf16 => Precision::Bf16,
        Format::Fp16 => Precision::Fp16,
    }
}

/// A model and what it is to predict.
pub(crate) struct Job<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) checkpoints: &'a [PathBuf],
    pub(crate) method: &'a dyn Method,
    pub(crate) networks: &'a [Box<dyn Network>],
    pub(crate) window: SlidingWindow,
    pub(crate) sizes: Sizes,
    /// Every case there is.
    pub(crate) cases: Vec<Case>,
}

/// Predicts this part's cases that are not there yet.
pub(crate) fn drive(args: &Args, session: &Session, mut job: Job<'_>) -> Result<()> {
    let planned_device_bytes = place_on_device(args, &mut job)?;
    let mine: Vec<&Case> = job.cases.iter().skip(args.part_id).step_by(args.num_parts).collect();
    let is_open = |case: &&&Case| {
        let done = case.output.is_file() && (!args.save_npz || case.beside(".npz").is_file());
        !done || args.overwrite_existing
    };
    let open: Vec<&Case> = mine.iter().filter(is_open).copied().collect();
    let max_ram = args.max_ram.unwrap_or_else(memory::default_budget);
    let threads = Threads::of(args);
    let base = memory::resident().0;
    let plan = Plan::new(&job.sizes, &mut job.window, base, max_ram, &args.output, threads.at_once());
    if !open.is_empty() {
        report::line(&plan.describe(open.len()));
    }
    let common = Common {
        model: job.folder,
        checkpoints: job.checkpoints,
        device: devices::name(job.window.device),
        precision: format!("{:?}", job.window.kind),
        planned_peak_bytes: plan.peak(open.len()),
        planned_device_bytes,
    };
    let records = Records::new(args.output.join(record_name(args)), &common, session)?;
    let pipeline = Pipeline {
        method: job.method,
        window: &job.window,
        records: &records,
        plan,
        threads,
        folder: &args.output,
    };
    let networks: Vec<&dyn Network> = job.networks.iter().map(|network| &**network).collect();
    pipeline.run(&open, &networks)?;
    if args.overlay {
        draw(&mine)?;
    }
    let failed = records.failures();
    if !failed.is_empty() {
        bail!("{} of {} cases failed:\n{}", failed.len(), mine.len(), failed.join("\n"));
    }
    Ok(())
}

/// Chooses what lies on the GPU; gives the bytes that are planned there, if there is one.
fn place_on_device(args: &Args, job: &mut Job<'_>) -> Result<Option<u64>> {
    if job.window.device == Device::Cpu {
        if args.max_vram.is_some() || args.all_in_gpu() != AllInGpu::None {
            report::line("no GPU is used: --max-vram and --all_in_gpu change nothing");
        }
        return Ok(None);
    }
    let sizes = job.checkpoints.iter().map(|file| Ok(std::fs::metadata(file)?.len()));
    let weights = sizes.sum::<Result<u64>>()?;
    let max = args.max_vram.unwrap_or(u64::MAX);
    let plan = OnDevice::new(&job.sizes, &job.window, weights, max, args.all_in_gpu());
    report::line(&plan.describe(args.max_vram));
    job.window.batch = plan.batch;
    if plan.sums {
        job.window.sums = Storage::Device(job.window.device);
    }
    Ok(Some(plan.bytes))
}

/// Draws every case that has a label map.
fn draw(cases: &[&Case]) -> Result<()> {
    let done: Vec<&&Case> = cases.iter().filter(|case| case.output.is_file()).collect();
    done.par_iter()
        .try_for_each(|case| pictures::overlay_case(&case.images[0], &case.output, &case.overlay()))
}

/// Each part of a job has its own record.
fn record_name(args: &Args) -> String {
    match args.num_parts {
        1 => "predictions.json".to_owned(),
        parts => format!("predictions_{}_of_{parts}.json", args.part_id),
    }
}
