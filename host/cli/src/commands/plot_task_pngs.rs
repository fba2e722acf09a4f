//! `plot_task_pngs`: draws every case of a task.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::Axis;
use nnunet_data::failures;
use nnunet_data::folders::{self, Folders, case_names, file_names};
use nnunet_data::images;
use nnunet_formats::npz;
use nnunet_pictures::{OVERLAY_INTENSITY, overlay};

use crate::pictures::overlay_case;
use crate::report;

/// What the folders of cases begin with, as v1's default planner names them.
const STAGES: &str = "nnUNetData_plans_v2.1_stage";

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task, by name or number.
    #[arg(short = 't', required = true)]
    task: String,
    /// Folder for the pictures.
    #[arg(short = 'o', required = true)]
    output: PathBuf,
    /// Cases at a time.
    #[arg(long = "num_processes", default_value_t = 8)]
    processes: usize,
    /// Channel.
    #[arg(long = "modality_idx", default_value_t = 0)]
    channel: usize,
    /// Raw images instead of preprocessed ones.
    #[arg(long = "use_raw")]
    use_raw: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a task without cases, or one error that lists all cases that cannot be drawn.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let task = folders.task_name(&args.task)?;
    let (from, cases) =
        if args.use_raw { raw_cases(folders, &task)? } else { preprocessed_cases(folders, &task)? };
    ensure!(!cases.is_empty(), "there are no cases in {}", from.display());
    folders::create(&args.output)?;
    let pool = failures::threads(args.processes)?;
    let draw = |case: &String| {
        let picture = args.output.join(format!("{case}.png"));
        let draw = if args.use_raw { draw_raw } else { draw_preprocessed };
        draw(&from, case, args.channel, &picture).with_context(|| case.clone())
    };
    pool.install(|| failures::each("cases cannot be drawn", &cases, draw))?;
    report::line(&format!("{} pictures in {}", cases.len(), args.output.display()));
    Ok(())
}

fn raw_cases(folders: &Folders, task: &str) -> Result<(PathBuf, Vec<String>)> {
    let folder = folders.raw()?.join(task);
    let labels = folder.join("labelsTr");
    let cases = images::list(&labels)?.iter().map(|name| images::stem(name).to_owned()).collect();
    Ok((folder, cases))
}

/// The last stage of v1's default planner.
fn preprocessed_cases(folders: &Folders, task: &str) -> Result<(PathBuf, Vec<String>)> {
    let folder = folders.preprocessed()?.join(task);
    // A task that was never preprocessed has no folder at all.
    let names = if folder.is_dir() { file_names(&folder, "")? } else { Vec::new() };
    let stage = names.into_iter().rfind(|name| name.starts_with(STAGES));
    let stage = stage.with_context(|| {
        format!(
            "{} has no {STAGES}*; run nnunet plan_and_preprocess with the default planner, or draw raw images with \
             --use_raw",
            folder.display()
        )
    })?;
    let cases = folder.join(stage);
    let names = case_names(&cases)?;
    Ok((cases, names))
}

fn draw_raw(task: &Path, case: &str, channel: usize, picture: &Path) -> Result<()> {
    let labels = task.join("labelsTr");
    let ending = images::ending_in(&labels);
    let image = task.join("imagesTr").join(format!("{case}_{channel:04}{ending}"));
    overlay_case(&image, &labels.join(format!("{case}{ending}")), picture)
}

fn draw_preprocessed(folder: &Path, case: &str, channel: usize, picture: &Path) -> Result<()> {
    let (image, labels) = npz::load_case(&folder.join(format!("{case}.npz")))?;
    let channels = image.len_of(Axis(0));
    ensure!(channel < channels, "there is no channel {channel}; channels: 0 to {}", channels - 1);
    let labels = labels.mapv(|label| label.max(0.0) as u8);
    let foreground = |z: &usize| labels.index_axis(Axis(0), *z).iter().filter(|label| **label > 0).count();
    // The first of several with most foreground.
    let fullest = (0..labels.len_of(Axis(0))).rev().max_by_key(foreground).context("an empty case")?;
    let image = image.index_axis(Axis(0), channel);
    let (image, labels) = (image.index_axis(Axis(0), fullest), labels.index_axis(Axis(0), fullest));
    Ok(overlay(picture, image, labels, OVERLAY_INTENSITY)?)
}
