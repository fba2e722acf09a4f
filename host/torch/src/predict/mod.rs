//! `predict`: label maps for a folder of images.
//!
//! The model's family loads it (see [`crate::family`]); its cases then go through the [`Pipeline`](pipeline::Pipeline):
//! preprocessing, networks, export.

mod device_worker;
mod dicom_input;
mod inputs;
mod model_source;
mod overview;
mod pipeline;
mod prediction_records;
mod reorient;
mod unlike;

use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nnunet_cli::commands::predict::{Args, Mode, Precision as Format};
use nnunet_cli::{label_tables, pictures, report};
use nnunet_data::folders::Folders;
use nnunet_data::label_names::LabelNames;
use nnunet_data::{failures, folders};
use nnunet_engine::session::Session;
use nnunet_formats::atomic;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Precision;
use rayon::prelude::*;
use serde_json::json;

use device_worker::{Run, Worker};
use model_source::ModelSource;
use pipeline::{Waiting, joined};
use prediction_records::{Common, Records, Seconds};
use reorient::Reoriented;

use crate::case::Case;
use crate::family::{LoadRequest, LoadedModel, ModelFamily};
use crate::{devices, families, network};

/// Runs the command. A case that fails is reported, the others go on; the command then fails.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    check(args)?;
    match dicom_input::converted(args)? {
        Some(converted) => predict(&converted.args, session, &converted.failed),
        None => predict(args, session, &Unread::new()),
    }
}

/// Cases that could not be converted for the prediction, with the reasons.
type Unread = BTreeMap<String, String>;

fn predict(args: &Args, session: &Session, unread: &Unread) -> Result<()> {
    let devices = devices::resolve_all(&args.all_devices())?;
    devices::set_numerics(false, precision(args))?;
    let source = ModelSource::of(args, session)?;
    let folder = source.folder();
    let family = families::of(folder)?;
    if let Some(first) = family.first_stage(args, folder)? {
        ensure!(
            !args.reorient,
            "--reorient does not turn the label maps of a cascade's first stage; turn the images first"
        );
        // They are reported once, with the second stage.
        predict(&first, session, &Unread::new()).context("predicting with the first stage of the cascade")?;
    }
    let start = Instant::now();
    folders::create(&args.output)?;
    atomic::remove_abandoned(&args.output);
    let models = Models { family, folder, args, session };
    let model = models.load(devices[0])?;
    overview::print(folder, &model, args);
    check_steps(args, &model)?;
    let naming = model.processing.file_naming(&args.input);
    let cases = inputs::cases(&args.input, &naming, &args.output)?;
    model.processing.write_model_files(&args.output)?;
    if args.label_tables {
        let labels = model.processing.output_head().values();
        label_tables::write(&args.output, &labels, &label_names(folder, session))?;
    }
    predict_cases(&models, model, &devices, Input { cases: &cases, unread }, start)
}

/// What is to be predicted.
#[derive(Clone, Copy)]
struct Input<'a> {
    cases: &'a [Case],
    unread: &'a Unread,
}

/// The model of a run, to be loaded for each device.
struct Models<'a> {
    family: &'static dyn ModelFamily,
    folder: &'a Path,
    args: &'a Args,
    session: &'a Session,
}

impl Models<'_> {
    fn load(&self, device: Device) -> Result<LoadedModel> {
        let Self { family, folder, args, session } = *self;
        let mut model =
            family.load(&LoadRequest { folder, args, session, device, precision: precision(args) })?;
        if args.reorient {
            model.processing =
                Box::new(Reoriented::new(model.processing, &model.training_images, &args.output)?);
        }
        Ok(model)
    }
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

/// Predicts this part's cases that are not there yet; `first` is the model on the first device.
fn predict_cases(
    models: &Models<'_>,
    first: LoadedModel,
    devices: &[Device],
    input: Input<'_>,
    start: Instant,
) -> Result<()> {
    let (args, cases) = (models.args, input.cases);
    let mine: Vec<&Case> = cases.iter().skip(args.part_id).step_by(args.num_parts).collect();
    let unread: Vec<(&String, &String)> =
        input.unread.iter().skip(args.part_id).step_by(args.num_parts).collect();
    let open: Vec<&Case> = mine.iter().filter(|case| is_open(case, args)).copied().collect();
    overview::print_cases(mine.len(), open.len(), args);
    // A device without a case needs no model.
    let devices = &devices[..devices.len().min(open.len().max(1))];
    let run = Run { args, cases, open: &open, devices: devices.len() };
    let first = Worker::new(&run, first)?;
    if !open.is_empty() {
        report::line(&first.plan.describe(open.len(), devices.len()));
    }
    let records = records(models, &first, devices, open.len())?;
    for (case, reason) in &unread {
        records.add(case, Some((*reason).clone()), Seconds::default(), 0, &devices::name(devices[0]))?;
    }
    predict_open(models, &run, &first, devices, &records)?;
    if args.overlay {
        draw(&mine, &label_names(models.folder, models.session))?;
    }
    let failed = records.failures();
    let all = mine.len() + unread.len();
    let predicted = open.len() + unread.len() - failed.len();
    let left = mine.len() - open.len();
    report::event(
        "prediction",
        &json!({ "cases": all, "predicted": predicted, "left": left, "failed": failed.len() }),
    );
    failures::none("cases failed", all, &failed)?;
    first.model().processing.finish(&args.output, start.elapsed())
}

fn records(models: &Models<'_>, first: &Worker<'_>, devices: &[Device], open: usize) -> Result<Records> {
    let model = first.model();
    let names: Vec<String> = devices.iter().map(|device| devices::name(*device)).collect();
    let common = Common {
        model: models.folder,
        checkpoints: &model.checkpoints,
        device: names.join(","),
        precision: network::precision_name(model.window.kind).to_owned(),
        planned_peak_bytes: first.plan.peak(open, devices.len()),
        planned_device_bytes: first.on_device.map(|plan| plan.bytes),
    };
    Records::new(models.args.output.join(record_name(models.args)), &common, models.session)
}

/// Predicts on all devices at a time. A device whose model cannot be loaded leaves its cases to the others, and is an error
/// after them.
fn predict_open(
    models: &Models<'_>,
    run: &Run<'_>,
    first: &Worker<'_>,
    devices: &[Device],
    records: &Records,
) -> Result<()> {
    let waiting = Waiting::new(run.open);
    thread::scope(|scope| {
        let work_on = |device: Device| {
            let waiting = &waiting;
            let work = move || {
                let worker = Worker::new(run, models.load(device)?)?;
                worker.work(waiting, records)
            };
            move || work().with_context(|| devices::name(device))
        };
        let others = devices[1..].iter().map(|device| {
            let named = thread::Builder::new().name(devices::name(*device));
            named.spawn_scoped(scope, work_on(*device))
        });
        let others: Vec<_> = others.collect::<std::io::Result<_>>()?;
        let done = first.work(&waiting, records);
        others.into_iter().map(joined).fold(done, Result::and)
    })
}

/// Whether a case has to be predicted: its files are not there yet, or are to be overwritten.
fn is_open(case: &Case, args: &Args) -> bool {
    let done = case.output.is_file() && (!args.save_npz || case.beside(".npz").is_file());
    !done || args.overwrite_existing
}

/// Draws every case that has a label map.
fn draw(cases: &[&Case], names: &LabelNames) -> Result<()> {
    let done: Vec<&&Case> = cases.iter().filter(|case| case.output.is_file()).collect();
    done.par_iter()
        .try_for_each(|case| pictures::labels_of_case(&case.images[0], &case.output, &case.overlay(), names))
}

/// Each part of a job has its own record.
fn record_name(args: &Args) -> String {
    match args.num_parts {
        1 => "predictions.json".to_owned(),
        parts => format!("predictions_{}_of_{parts}.json", args.part_id),
    }
}
