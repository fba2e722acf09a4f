//! `predict`: label maps for a folder of images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ndarray::{Array3, Array4};
use nnunet_formats::npz;
use nnunet_host::commands::predict::{Args, Mode};
use nnunet_host::config::World;
use nnunet_host::folders::{self, Folders, file_names};
use nnunet_host::pipeline::crop_case;
use nnunet_host::selection::Postprocessing;
use nnunet_host::{components, export, images, records, report};
use nnunet_inference::{SlidingWindow, labels_to_cropped_grid, predict, segmentation, to_cropped_grid};
use nnunet_plugin_api::vocabulary::{CaseProperties, Precision, Regions};
use nnunet_plugin_api::{LabelVolume, Postprocessor};
use nnunet_preprocessing::{Resolved, Target, preprocess};

use crate::model::Model;
use crate::v2;

/// Runs the command. A case that fails is reported, the others go on; the command then fails.
pub(crate) fn run(args: &Args, world: &World) -> Result<()> {
    let start = Instant::now();
    let folder = model_folder(args)?;
    ensure!(args.part_id < args.num_parts, "--part_id must be below --num_parts");
    ensure!(
        args.mode == Mode::Normal || !args.save_npz,
        "probabilities (-z) are only there in --mode normal"
    );
    if v2::is_model(&folder) {
        return v2::run(args, &folder);
    }
    let checkpoint = args.checkpoint.as_deref().unwrap_or("model_final_checkpoint");
    let model = Model::load(&folder, &args.folds, checkpoint, world)?;
    let cases = cases(&args.input, model.info.plans.num_modalities(), ending_in(&args.input))?;
    folders::create(&args.output)?;
    let plans = &model.info.plans;
    let preprocessor = components::preprocessor(&world.registry, plans)?;
    let precision = if args.disable_mixed_precision { Precision::Fp32 } else { Precision::Auto };
    let window = model.window(args.step_size, !args.disable_tta, precision);
    records::save(&args.output.join("plans.pkl"), &records::plans_to_pickle(plans))?;
    let mine: Vec<_> = cases.iter().skip(args.part_id).step_by(args.num_parts).collect();
    let bar = report::bar(mine.len(), "predicting");
    let mut failed = Vec::new();
    let job = Job {
        model: &model,
        preprocessor: &preprocessor,
        window: &window,
        postprocessing: postprocessing(&folder, args)?,
        mode: args.mode,
    };
    for (case, images) in &mine {
        let output = args.output.join(format!("{case}.nii.gz"));
        let done =
            output.is_file() && (!args.save_npz || output.with_file_name(format!("{case}.npz")).is_file());
        if !done || args.overwrite_existing {
            match job.predict(images, &output, args.save_npz) {
                Ok(()) => report::line(&format!("predicted {}", output.display())),
                Err(error) => failed.push(format!("  {case}: {error:#}")),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64().to_string();
    nnunet_formats::atomic::write_bytes(&args.output.join("prediction_time.txt"), seconds.as_bytes())?;
    if !failed.is_empty() {
        bail!("{} of {} cases failed:\n{}", failed.len(), mine.len(), failed.join("\n"));
    }
    Ok(())
}

fn model_folder(args: &Args) -> Result<PathBuf> {
    if let Some(folder) = &args.model_folder {
        return Ok(folder.clone());
    }
    let folders = Folders::from_environment();
    let task = folders.task_name(args.task.as_deref().context("-t or --model-folder is needed")?)?;
    folders.model(&args.model, &task, &args.trainer, &args.plans)
}

/// Image files by case: of a folder, or one image. A model of one channel also takes images without a channel number.
pub(crate) fn cases(input: &Path, channels: usize, ending: &str) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    if input.is_file() {
        return one_image(input, channels, ending);
    }
    ensure!(input.is_dir(), "there is no folder {}", input.display());
    let names = file_names(input, ending);
    ensure!(!names.is_empty(), "there are no {ending} files in {}", input.display());
    let mut cases = BTreeMap::new();
    let mut missing = Vec::new();
    for name in &names {
        let stem = name.strip_suffix(ending).unwrap_or(name);
        let Some(case) = case_of(stem) else {
            if channels == 1 {
                cases.insert(stem.to_owned(), vec![input.join(name)]);
            }
            continue;
        };
        let files: Vec<String> =
            (0..channels).map(|channel| format!("{case}_{channel:04}{ending}")).collect();
        missing.extend(files.iter().filter(|file| !names.contains(file)).cloned());
        cases.insert(case.to_owned(), files.iter().map(|file| input.join(file)).collect());
    }
    missing.sort();
    missing.dedup();
    ensure!(missing.is_empty(), "{} lacks {}", input.display(), missing.join(", "));
    ensure!(!cases.is_empty(), "{} has no image whose name ends in _0000{ending}", input.display());
    Ok(cases)
}

/// The case of a name that ends in a channel number.
fn case_of(stem: &str) -> Option<&str> {
    let (case, channel) = stem.rsplit_once('_')?;
    (channel.len() == 4 && channel.bytes().all(|byte| byte.is_ascii_digit())).then_some(case)
}

/// The ending of the first image in a folder, or of the image itself.
fn ending_in(input: &Path) -> &'static str {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = name(input).and_then(|name| images::ending(&name)).filter(|_| input.is_file());
    let mut files = file_names(input, "").into_iter();
    own.or_else(|| files.find_map(|name| images::ending(&name))).unwrap_or(images::USUAL)
}

fn one_image(input: &Path, channels: usize, ending: &str) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let name = input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem =
        name.strip_suffix(ending).with_context(|| format!("{} does not end in {ending}", input.display()))?;
    let case = case_of(stem).unwrap_or(stem);
    if channels == 1 {
        return Ok(BTreeMap::from([(case.to_owned(), vec![input.to_owned()])]));
    }
    let file = |channel: usize| input.with_file_name(format!("{case}_{channel:04}{ending}"));
    let files: Vec<PathBuf> = (0..channels).map(file).collect();
    let missing = files.iter().find(|file| !file.is_file());
    ensure!(missing.is_none(), "the model wants {channels} channels; {missing:?} is missing");
    Ok(BTreeMap::from([(case.to_owned(), files)]))
}

/// The model's `postprocessing.json`, copied beside the predictions as v1 does.
fn postprocessing(folder: &Path, args: &Args) -> Result<Option<Postprocessing>> {
    let file = folder.join("postprocessing.json");
    if !file.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
    nnunet_formats::atomic::write_bytes(&args.output.join("postprocessing.json"), &bytes)?;
    Postprocessing::load(&file).map(Some)
}

/// What every case is predicted with.
struct Job<'a> {
    model: &'a Model,
    preprocessor: &'a Resolved,
    window: &'a SlidingWindow,
    postprocessing: Option<Postprocessing>,
    mode: Mode,
}

impl Job<'_> {
    fn predict(&self, images: &[PathBuf], output: &Path, save_npz: bool) -> Result<()> {
        let (model, plans) = (self.model, &self.model.info.plans);
        let (cropped, mut properties) = crop_case(images, None)?;
        let target = Target { plans, stage: model.stage, use_mask_for_norm: &plans.use_mask_for_norm };
        let spacing = properties.original_spacing;
        let case = preprocess(self.preprocessor, cropped.data, cropped.seg, spacing, &target)?;
        let (z, y, x) = case.seg.dim();
        properties.size_after_resampling = Some([z, y, x]);
        properties.spacing_after_resampling = Some(case.spacing);
        let mut sum: Option<Array4<f32>> = None;
        for network in &model.networks {
            let probabilities = predict(&**network, case.data.view(), self.window)?;
            match &mut sum {
                Some(sum) => *sum += &probabilities,
                None => sum = Some(probabilities),
            }
        }
        let mut mean = sum.ok_or_else(|| anyhow!("the model has no network"))?;
        mean /= model.networks.len() as f32;
        let order = match self.mode {
            Mode::Normal => {
                let probabilities = to_cropped_grid(mean, plans, &properties)?;
                if save_npz {
                    save_probabilities(&probabilities, &properties, model.info.regions.as_ref(), output)?;
                }
                let labels = segmentation(probabilities.view(), model.info.regions.as_ref());
                return self.write(labels, &properties, output);
            }
            Mode::Fast => 1,
            Mode::Fastest => 0,
        };
        let labels = segmentation(mean.view(), model.info.regions.as_ref());
        let labels = labels_to_cropped_grid(labels.view(), plans, &properties, order)?;
        self.write(labels, &properties, output)
    }

    fn write(&self, labels: Array3<u8>, case: &CaseProperties, output: &Path) -> Result<()> {
        let mut volume = LabelVolume { labels, spacing: case.original_spacing };
        if let Some(postprocessing) = &self.postprocessing {
            postprocessing.apply(&mut volume)?;
        }
        export::write_labels(output, volume.labels.view(), case)
    }
}

/// Writes `<case>.npz` and `<case>.pkl` beside the label map.
fn save_probabilities(
    probabilities: &Array4<f32>,
    case: &CaseProperties,
    regions: Option<&Regions>,
    output: &Path,
) -> Result<()> {
    let name = output.display().to_string();
    let base = name.trim_end_matches(".nii.gz");
    npz::save_f16(Path::new(&format!("{base}.npz")), "softmax", probabilities.view())?;
    records::save(Path::new(&format!("{base}.pkl")), &records::case_of_probabilities_to_pickle(case, regions))
}
