//! `convert_decathlon_task`: a task of the Medical Segmentation Decathlon as a raw task, one file a channel.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::failures;
use nnunet_data::folders::{self, Folders, files_that_end, without_ending};
use nnunet_data::images::DEFAULT_ENDING;
use nnunet_formats::{atomic, nifti};
use rayon::prelude::*;
use serde_json::{Map, Value};

use crate::report;

/// Parts of a task.
const PARTS: [&str; 3] = ["imagesTr", "imagesTs", "labelsTr"];

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the Decathlon task, TaskXX_NAME.
    #[arg(short = 'i', required = true)]
    input: PathBuf,
    /// Images at a time.
    #[arg(short = 'p', default_value_t = 8)]
    processes: usize,
    /// ID of the new task, instead of the Decathlon's.
    #[arg(long = "output_task_id", value_name = "ID")]
    id: Option<u32>,
    /// Replace an existing task of this name, even if it was made from other data.
    #[arg(long)]
    overwrite: bool,
}

/// Runs the command. The input stays as it is; hidden files in it (`._x.nii.gz`) are not looked at.
///
/// # Errors
/// Returns an error for a folder that is not a decathlon task, or for a task that is there already, or one error that
/// lists all files that dataset.json names and that are missing, and all images that cannot be split.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let task = task_name(&args.input, args.id)?;
    let raw = folders.raw()?;
    let to = raw.join(&task);
    ensure!(
        args.overwrite || may_replace(&args.input, &to),
        "{} exists and was not made of this task; replace it with --overwrite, or choose another -output_task_id",
        to.display()
    );
    folders::create(&raw)?;
    let mut images = 0;
    atomic::folder(&to, |folder| -> Result<()> {
        images = convert(&args.input, folder, args.processes)?;
        if to.exists() {
            std::fs::remove_dir_all(&to).with_context(|| to.display().to_string())?;
        }
        Ok(())
    })?;
    report::line(&format!("{images} images in {}", to.display()));
    Ok(())
}

/// `Task004_NAME` for `Task04_NAME`.
fn task_name(input: &Path, id: Option<u32>) -> Result<String> {
    let wrong = || format!("{}: a decathlon task is a folder called TaskXX_NAME", input.display());
    let whole = std::path::absolute(input)?;
    let name = whole.file_name().with_context(wrong)?.to_string_lossy().into_owned();
    let (number, name) =
        name.strip_prefix("Task").and_then(|rest| rest.split_once('_')).with_context(wrong)?;
    ensure!(number.len() == 2 && !name.is_empty(), "{}, XX being two digits", wrong());
    for part in PARTS {
        ensure!(input.join(part).is_dir(), "{} has no folder {part}", input.display());
    }
    ensure!(input.join("dataset.json").is_file(), "{} has no dataset.json", input.display());
    let id = id.map_or_else(|| number.parse().with_context(wrong), Ok)?;
    ensure!(id < 1000, "task {id}: numbers have three digits");
    Ok(format!("Task{id:03}_{name}"))
}

/// Whether nothing is there, or what an earlier run has made of the same input.
fn may_replace(input: &Path, to: &Path) -> bool {
    let description = |folder: &Path| std::fs::read(folder.join("dataset.json")).ok();
    !to.exists() || description(to).is_some_and(|bytes| Some(bytes) == description(input))
}

fn convert(from: &Path, to: &Path, processes: usize) -> Result<usize> {
    let mut images = Vec::new();
    for part in PARTS {
        folders::create(&to.join(part))?;
        let names = files_that_end(&from.join(part), DEFAULT_ENDING)?;
        ensure!(!names.is_empty() || part == "imagesTs", "{} is empty", from.join(part).display());
        images.extend(names.into_iter().map(|name| (part, name)));
    }
    let description = Description::read(&from.join("dataset.json"))?;
    let mut failed = description.missing(&images);
    let total = images.len() + failed.len();
    let pool = failures::threads(processes)?;
    let bar = report::bar(images.len(), "splitting");
    let one = |(part, name): &(&str, String)| {
        let (image, folder) = (from.join(part).join(name), to.join(part));
        let case = without_ending(name, DEFAULT_ENDING).unwrap_or(name);
        let done = failures::catching(|| match *part {
            "labelsTr" => folders::copy_file(&image, &folder.join(format!("{case}{DEFAULT_ENDING}"))),
            _ => split(&image, &folder, case, description.channels),
        });
        bar.inc(1);
        done.err().map(|error| format!("  {error:#}"))
    };
    let split: Vec<Option<String>> = pool.install(|| images.par_iter().map(one).collect());
    bar.finish_and_clear();
    failed.extend(split.into_iter().flatten());
    failures::none("files are missing or cannot be used", total, &failed)?;
    folders::copy_file(&from.join("dataset.json"), &to.join("dataset.json"))?;
    Ok(images.iter().filter(|(part, _)| *part != "labelsTr").count())
}

/// Writes every channel of an image as `CASE_XXXX.nii.gz`; their number has to be that of the task, where it is known.
fn split(image: &Path, folder: &Path, case: &str, channels: Option<usize>) -> Result<()> {
    let count = nifti::split(image, |channel| folder.join(format!("{case}_{channel:04}{DEFAULT_ENDING}")))?;
    if let Some(channels) = channels {
        ensure!(
            count == channels,
            "{}: it has {}, and dataset.json names {channels} modalities",
            image.display(),
            report::count(count, "channel")
        );
    }
    Ok(())
}

/// What `dataset.json` says about the files.
struct Description {
    /// Parts and cases, which have to be there.
    files: Vec<(&'static str, String)>,
    channels: Option<usize>,
}

impl Description {
    fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let json: Value = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
        let list = |key: &str| json.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let [image, label] = ["image", "label"].map(|key| move |pair: &Value| case(pair.get(key)?));
        let (training, tests) = (list("training"), list("test"));
        let test = |test: &Value| case(test).or_else(|| image(test));
        let files = training.iter().filter_map(image).map(|case| ("imagesTr", case));
        let files = files.chain(training.iter().filter_map(label).map(|case| ("labelsTr", case)));
        let files = files.chain(tests.iter().filter_map(test).map(|case| ("imagesTs", case))).collect();
        Ok(Self { files, channels: json.get("modality").and_then(Value::as_object).map(Map::len) })
    }

    /// A line for every file that is not among those of the folders. An image may also be called as its first channel.
    fn missing(&self, there: &[(&str, String)]) -> Vec<String> {
        let case = |(part, name): &(&str, String)| {
            ((*part).to_owned(), without_ending(name, DEFAULT_ENDING).unwrap_or(name).to_owned())
        };
        let there: BTreeSet<(String, String)> = there.iter().map(case).collect();
        let is_there = |part: &str, case: String| there.contains(&(part.to_owned(), case));
        let missing = self
            .files
            .iter()
            .filter(|(part, case)| !is_there(part, case.clone()) && !is_there(part, format!("{case}_0000")));
        missing.map(|(part, case)| format!("  {part}/{case}{DEFAULT_ENDING} is missing")).collect()
    }
}

/// The case of `./imagesTr/CASE.nii.gz`.
fn case(path: &Value) -> Option<String> {
    let name = path.as_str()?.rsplit('/').next()?;
    Some(without_ending(name, DEFAULT_ENDING).unwrap_or(name).to_owned())
}
