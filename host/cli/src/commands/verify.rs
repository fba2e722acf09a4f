//! `verify`: all issues of a raw task in one table, and a repaired copy.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_data::dataset::Dataset;
use nnunet_data::folders::Folders;
use nnunet_data::integrity::{self, Findings, Repairs};
use nnunet_data::v2;
use serde_json::json;

use crate::report;

/// Relative difference of spacing, origin and direction that v1 takes for equal.
pub(super) const TOLERANCE: f64 = 1e-5;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task, by name or number, or the folder of a raw task.
    task: String,
    /// Relative difference of spacing, origin and direction that counts as equal.
    #[arg(long, default_value_t = TOLERANCE)]
    tolerance: f64,
    /// Show what a repaired copy would change; with --yes, write it.
    #[arg(long)]
    fix: bool,
    /// Write the repaired copy.
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Folder of the repaired copy; beside the original, under the next free number, by default.
    #[arg(short = 'o', long = "output", value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a task with issues that has not been repaired.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let folder = task_folder(&args.task, folders)?;
    let dataset = load(&folder)?;
    let findings = integrity::check(&dataset, args.tolerance)?;
    let repairs = args.fix.then(|| Repairs::propose(&dataset, &findings));
    show(&dataset, &findings, repairs.as_ref());
    if let (Some(repairs), true) = (&repairs, args.yes && !findings.is_usable()) {
        let to = args.output.clone().map_or_else(|| free_folder(&folder), Ok)?;
        repairs.write(&to)?;
        report::line(&format!("repaired copy: {}", to.display()));
        if !repairs.open.is_empty() {
            bail!("{} issues need manual repair; the copy still has them", repairs.open.len());
        }
        return Ok(());
    }
    usable(&dataset, &findings)
}

/// An error unless the task can be used.
pub(super) fn usable(dataset: &Dataset, findings: &Findings) -> Result<()> {
    if findings.is_usable() {
        report::line("Dataset OK");
        return Ok(());
    }
    let errors = findings.issues.iter().filter(|issue| !issue.kind.is_warning()).count();
    // A folder is found wherever it lies; its number is not.
    let folder = dataset.folder.display().to_string();
    let named = if folder.contains(' ') { format!("\"{folder}\"") } else { folder.clone() };
    bail!("{folder} has {}; `nnunet verify {named} --fix` proposes repairs", report::count(errors, "error"))
}

/// Prints the table, or one event.
pub(super) fn show(dataset: &Dataset, findings: &Findings, repairs: Option<&Repairs>) {
    if report::is_json() {
        let texts = |repairs: &Repairs| repairs.repairs.iter().map(ToString::to_string).collect::<Vec<_>>();
        let value = json!({
            "task": dataset.folder.display().to_string(),
            "cases": dataset.training.len(),
            "usable": findings.is_usable(),
            "label_values": findings.label_values,
            "faults": findings.issues,
            "repairs": repairs.map(texts),
        });
        return report::event("verification", &value);
    }
    report::line(&format!("{}: {} training cases", dataset.folder.display(), dataset.training.len()));
    if !findings.issues.is_empty() {
        report::result(findings.table().trim_end());
    }
    for repair in repairs.iter().flat_map(|repairs| &repairs.repairs) {
        report::result(&format!("repair: {repair}"));
    }
    for issue in repairs.iter().flat_map(|repairs| &repairs.open) {
        report::result(&format!("open:   {}: {}", issue.file.display(), issue.detail));
    }
}

/// The task of v1 or the data set of v2 in a folder.
fn load(folder: &Path) -> Result<Dataset> {
    if v2::is_dataset(folder) { v2::RawDataset::load(folder)?.as_task() } else { Dataset::load(folder) }
}

fn task_folder(task: &str, folders: &Folders) -> Result<PathBuf> {
    if Path::new(task).join("dataset.json").is_file() {
        return Ok(PathBuf::from(task));
    }
    if task.starts_with("Dataset") {
        return Ok(v2::Folders::from_environment().raw()?.join(task));
    }
    Ok(folders.raw()?.join(folders.task_name(task)?))
}

/// `TaskNNN_Name` or `DatasetNNN_Name` with the next number that nothing beside it has.
fn free_folder(original: &Path) -> Result<PathBuf> {
    let name = original.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let prefix = if name.starts_with("Dataset") { "Dataset" } else { "Task" };
    let parts = name.strip_prefix(prefix).and_then(|rest| rest.split_once('_'));
    let (number, title) =
        parts.with_context(|| format!("{name} is not a task name; choose a folder with -o"))?;
    let number: u32 =
        number.parse().with_context(|| format!("{name} has no number; name a folder with -o"))?;
    let beside = original.parent().unwrap_or(Path::new("."));
    let taken: Vec<String> = std::fs::read_dir(beside)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let is_free = |id: &u32| !taken.iter().any(|name| name.starts_with(&format!("{prefix}{id:03}_")));
    let id = (number + 1..1000).find(is_free).context("no task number is free; name a folder with -o")?;
    Ok(beside.join(format!("{prefix}{id:03}_{title}Repaired")))
}
