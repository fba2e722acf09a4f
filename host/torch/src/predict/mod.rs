//! `predict`: label maps for a folder of images.
//!
//! The model's family loads it (see [`crate::family`]); its cases then go through the [`Pipeline`](pipeline::Pipeline):
//! preprocessing, networks, export.

mod dicom_input;
mod inputs;
mod model_source;
mod overview;
mod pipeline;
mod prediction_records;
mod reorient;
mod unlike;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nnunet_cli::commands::predict::{AllInGpu, Args, Mode, Precision as Format};
use nnunet_cli::{label_tables, pictures, report};
use nnunet_data::folders::Folders;
use nnunet_data::label_names::LabelNames;
use nnunet_data::{failures, folders, memory};
use nnunet_engine::session::Session;
use nnunet_formats::atomic;
use nnunet_inference::SlidingWindow;
use nnunet_plugin_api::Network;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Precision;
use rayon::prelude::*;
use serde_json::json;

use model_source::ModelSource;
use pipeline::{Pipeline, Threads};
use prediction_records::{Common, Records};
use reorient::Reoriented;
use unlike::Comparison;

use crate::case::Case;
use crate::family::{LoadRequest, LoadedModel};
use crate::memory_plan::{Plan, Sizes};
use crate::on_device::OnDevice;
use crate::{devices, families};

/// Runs the command. A case that fails is reported, the others go on; the command then fails.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    check(args)?;
    match dicom_input::converted(args)? {
        Some((_folder, args)) => predict(&args, session),
        None => predict(args, session),
    }
}

fn predict(args: &Args, session: &Session) -> Result<()> {
    let device = devices::resolve(args.device)?;
    devices::set_numerics(false, precision(args))?;
    let source = ModelSource::of(args, session)?;
    let folder = source.folder();
    let family = families::of(folder)?;
    if let Some(first) = family.first_stage(args, folder)? {
        ensure!(
            !args.reorient,
            "--reorient does not turn the label maps of a cascade's first stage; turn the images first"
        );
        predict(&first, session).context("predicting with the first stage of the cascade")?;
    }
    let start = Instant::now();
    folders::create(&args.output)?;
    atomic::remove_abandoned(&args.output);
    let mut model =
        family.load(&LoadRequest { folder, args, session, device, precision: precision(args) })?;
    if args.reorient {
        model.processing = Box::new(Reoriented::new(model.processing, &model.training_images, &args.output)?);
    }
    overview::print(folder, &model);
    let naming = model.processing.file_naming(&args.input);
    let cases = inputs::cases(&args.input, &naming, &args.output)?;
    model.processing.write_model_files(&args.output)?;
    if args.label_tables {
        let labels = model.processing.output_head().values();
        label_tables::write(&args.output, &labels, &label_names(folder, session))?;
    }
    predict_cases(args, session, folder, &mut model, &cases)?;
    model.processing.finish(&args.output, start.elapsed())
}

/// The names of the labels, from the model's folder, or else from that of its task.
fn label_names(folder: &Path, session: &Session) -> LabelNames {
    let folders = Folders::new(&session.files);
    let task = folder.parent().and_then(Path::file_name).unwrap_or_default();
    let of_task = [folders.preprocessed(), folders.raw()].map(|root| root.unwrap_or_default().join(task));
    LabelNames::near(&[folder, &of_task[0], &of_task[1]])
}

fn check(args: &Args) -> Result<()> {
    ensure!(args.part_id < args.num_parts, "--part_id must be less than --num_parts");
    ensure!(
        args.mode == Mode::Normal || !args.save_npz,
        "probabilities (-z) are only written in --mode normal"
    );
    ensure!(
        !args.reorient || args.lowres.is_none(),
        "--reorient does not turn the label maps of -l; turn the images first"
    );
    ensure!(args.step_size > 0.0 && args.step_size <= 1.0, "--step_size must be larger than 0 and at most 1");
    Ok(())
}

/// Checks that the sliding window moves on: with steps of less than a voxel it would predict for years.
fn check_steps(args: &Args, model: &LoadedModel) -> Result<()> {
    let patch = &model.window.patch;
    ensure!(
        patch.iter().any(|len| *len as f64 * args.step_size >= 1.0),
        "--step_size {} of the patch {patch:?} is less than a voxel",
        args.step_size
    );
    Ok(())
}

/// The number format asked for.
fn precision(args: &Args) -> Precision {
    match args.precision {
        _ if args.disable_mixed_precision => Precision::Fp32,
        Format::Auto => Precision::Auto,
        Format::Fp32 => Precision::Fp32,
        Format::Bf16 => Precision::Bf16,
        Format::Fp16 => Precision::Fp16,
    }
}

/// Predicts this part's cases that are not there yet.
fn predict_cases(
    args: &Args,
    session: &Session,
    folder: &Path,
    model: &mut LoadedModel,
    cases: &[Case],
) -> Result<()> {
    check_steps(args, model)?;
    let max_ram = args.max_ram.unwrap_or_else(memory::default_budget);
    let available = max_ram.min(memory::default_budget());
    let sizes = Sizes::of(model, cases, available);
    let on_device = place_on_device(args, model, &sizes)?;
    let mine: Vec<&Case> = cases.iter().skip(args.part_id).step_by(args.num_parts).collect();
    let open: Vec<&Case> = mine.iter().filter(|case| is_open(case, args)).copied().collect();
    let left = mine.len() - open.len();
    if open.is_empty() {
        report::line(&overview::nothing_to_do(mine.len(), &args.output));
    } else if left > 0 {
        report::line(&format!(
            "{left} of {} label maps are in {} already and are left as they are; --overwrite_existing predicts them again",
            mine.len(),
            args.output.display()
        ));
    }
    let threads = Threads::of(args, open.len());
    let base = memory::resident().0;
    let plan = Plan::new(&sizes, &mut model.window, base, max_ram, &args.output, threads.at_once());
    if !open.is_empty() {
        report::line(&plan.describe(open.len()));
    }
    let common = Common {
        model: folder,
        checkpoints: &model.checkpoints,
        device: devices::name(model.window.device),
        precision: format!("{:?}", model.window.kind),
        planned_peak_bytes: plan.peak(open.len()),
        planned_device_bytes: on_device.map(|plan| plan.bytes),
    };
    let records = Records::new(args.output.join(record_name(args)), &common, session)?;
    let pipeline = Pipeline {
        processing: &*model.processing,
        comparison: Comparison {
            training: &model.training_images,
            processing: &*model.processing,
            reorients: args.reorient,
        },
        window: &model.window,
        records: &records,
        plan,
        threads,
        folder: &args.output,
        available,
        channels: model.input_channels,
        on_device,
        one_at_a_time: Arc::default(),
    };
    let networks: Vec<&dyn Network> = model.networks.iter().map(|network| &**network).collect();
    pipeline.run(&open, &networks)?;
    if args.overlay {
        draw(&mine)?;
    }
    let failed = records.failures();
    let predicted = open.len() - failed.len();
    report::event(
        "prediction",
        &json!({ "cases": mine.len(), "predicted": predicted, "left": left, "failed": failed.len() }),
    );
    failures::none("cases failed", mine.len(), &failed)
}

/// Whether a case has to be predicted: its files are not there yet, or are to be overwritten.
fn is_open(case: &Case, args: &Args) -> bool {
    let done = case.output.is_file() && (!args.save_npz || case.beside(".npz").is_file());
    !done || args.overwrite_existing
}

/// Chooses what lies on the GPU; gives the bytes that are planned there, if there is one.
fn place_on_device(args: &Args, model: &mut LoadedModel, sizes: &Sizes) -> Result<Option<OnDevice>> {
    if model.window.device == Device::Cpu {
        if args.max_vram.is_some() || args.all_in_gpu() != AllInGpu::None {
            report::line("no GPU is used: --max-vram and --all_in_gpu have no effect");
        }
        return Ok(None);
    }
    let estimate = sizes.activations(&SlidingWindow { batch: 1, ..model.window.clone() });
    let network = model.networks.first().context("the model has no network")?;
    let (needs, available) = devices::needs(&**network, model.input_channels, &model.window, estimate)?;
    let max = args.max_vram.unwrap_or(available);
    let plan = OnDevice::new(sizes, &model.window, needs, max, args.all_in_gpu());
    report::line(&plan.describe(args.max_vram));
    plan.apply(&mut model.window);
    Ok(Some(plan))
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
