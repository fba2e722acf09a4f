//! `plans`: show, compare and change plans without Python.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::folders::Folders;
use nnunet_data::records;
use nnunet_engine::provenance;
use nnunet_plugin_core::suggestion::did_you_mean;
use nnunet_plugin_core::vocabulary::{Plans, Stage};
use serde_json::{Value, json};

use crate::{differences, report};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a summary of plans; with --json, the complete plans.
    Show(Named),
    /// Change values, check the result and write pickle and JSON.
    Edit(Edit),
    /// Print the values in which two plans differ.
    Diff(Diff),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// A plans file, a model folder, or a task by name or number.
    plans: String,
    /// Identifier of a task's plans.
    #[arg(short = 'p', default_value = crate::defaults::PLANS)]
    identifier: String,
    /// A task's plans for slices instead of those for volumes.
    #[arg(long = "2d")]
    slices: bool,
}

#[derive(Debug, clap::Args)]
struct Edit {
    #[command(flatten)]
    named: Named,
    /// Changes, for example plans_per_stage.0.batch_size=4 or plans_per_stage.0.patch_size=[40,56,40].
    #[arg(long = "set", value_name = "KEY=VALUE", required = true, num_args = 1..)]
    changes: Vec<String>,
    /// Write the changed plans here instead: the original stays.
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Diff {
    /// First plans: file, model folder or task.
    a: String,
    /// Second plans.
    b: String,
    /// Identifier of a task's plans.
    #[arg(short = 'p', default_value = crate::defaults::PLANS)]
    identifier: String,
    /// A task's plans for slices instead of those for volumes.
    #[arg(long = "2d")]
    slices: bool,
    /// Also compare the fingerprint and the paths.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for plans that cannot be read, or that the changes would break.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    match &args.command {
        Command::Show(named) => show(named, folders),
        Command::Edit(edit) => change(edit, folders),
        Command::Diff(diff) => compare(diff, folders),
    }
}

impl Named {
    fn file(&self, folders: &Folders) -> Result<PathBuf> {
        file(&self.plans, &self.identifier, self.slices, folders)
    }
}

fn file(plans: &str, identifier: &str, slices: bool, folders: &Folders) -> Result<PathBuf> {
    let path = Path::new(plans);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if path.join("plans.pkl").is_file() {
        return Ok(path.join("plans.pkl"));
    }
    let task =
        folders.task_name(plans).with_context(|| format!("{plans} is neither a file nor a model folder"))?;
    let dimensions = if slices { 2 } else { 3 };
    let path = folders.preprocessed()?.join(task).join(format!("{identifier}_plans_{dimensions}D.pkl"));
    records::check_plans_are_there(&path)?;
    Ok(path)
}

fn load(path: &Path) -> Result<Plans> {
    records::load(path, records::plans_from_pickle)
}

fn show(named: &Named, folders: &Folders) -> Result<()> {
    let path = named.file(folders)?;
    let plans = load(&path)?;
    if report::is_json() {
        let fields = json!({ "file": path.display().to_string(), "plans": serde_json::to_value(&plans)? });
        report::event("plans", &fields);
        return Ok(());
    }
    let mut text = format!(
        "{}\nchannels       {}\nnormalization  {}\nclasses        {:?}\ncases          {}\n\
         transpose      {:?}\nfeatures       {}\npreprocessor   {}\ndata           {}",
        path.display(),
        plans.modalities.join(", "),
        plans.normalization_schemes.join(", "),
        plans.all_classes,
        plans.dataset_properties.all_sizes.len(),
        plans.transpose_forward,
        plans.base_num_features,
        plans.preprocessor_name,
        plans.data_identifier
    );
    for (i, stage) in plans.plans_per_stage.iter().enumerate() {
        text += &stage_text(i, stage);
    }
    report::result(&text);
    Ok(())
}

fn stage_text(index: usize, stage: &Stage) -> String {
    format!(
        "\nstage {index}\n  spacing      {:?} mm\n  median case  {:?} voxels\n  patch        {:?} voxels\n  \
         batch        {}\n  pooling      {:?}\n  kernels      {:?}{}",
        stage.current_spacing,
        stage.median_patient_size_in_voxels,
        stage.patch_size,
        stage.batch_size,
        stage.pool_op_kernel_sizes,
        stage.conv_kernel_sizes,
        if stage.do_dummy_2d_data_aug { "\n  augmented slice by slice" } else { "" }
    )
}

fn change(edit: &Edit, folders: &Folders) -> Result<()> {
    let path = edit.named.file(folders)?;
    // A JSON file that was edited is not written over.
    let plans = records::load_with_twin(&path, records::plans_from_pickle)?;
    let mut value = serde_json::to_value(plans)?;
    for change in &edit.changes {
        set(&mut value, change)?;
    }
    let plans: Plans = serde_json::from_value(value).context("a value has the wrong kind")?;
    plans.check().with_context(|| "the changed plans cannot work; nothing was written")?;
    let to = edit.output.as_ref().unwrap_or(&path);
    let plugins_used = provenance::load_beside(&path)?;
    records::save_with_twin(to, &records::plans_to_pickle(&plans))?;
    provenance::save_beside(to, &plugins_used)?;
    report::line(&format!("wrote {}", to.display()));
    Ok(())
}

/// Sets `a.0.b=value`. The key must be there already.
fn set(value: &mut Value, change: &str) -> Result<()> {
    let (path, text) = change.split_once('=').with_context(|| format!("`{change}` is not KEY=VALUE"))?;
    let mut place = value;
    for key in path.split('.') {
        let known = keys(place);
        place = match place {
            Value::Object(entries) => entries.get_mut(key),
            Value::Array(items) => key.parse().ok().and_then(|i: usize| items.get_mut(i)),
            _ => None,
        }
        .with_context(|| unknown(path, key, &known))?;
    }
    *place = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    Ok(())
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(entries) => entries.keys().cloned().collect(),
        Value::Array(items) => (0..items.len()).map(|i| i.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn unknown(path: &str, key: &str, known: &[String]) -> String {
    if known.is_empty() {
        return format!("{path}: there is nothing below `{key}`");
    }
    format!("{path}: there is no `{key}`{}", did_you_mean(key, known.iter().map(String::as_str)))
}

fn compare(diff: &Diff, folders: &Folders) -> Result<()> {
    let of_data = ["dataset_properties.", "list_of_npz_files", "preprocessed_data_folder"];
    let read = |name: &str| -> Result<BTreeMap<String, String>> {
        let mut lines = differences::flatten(&load(&file(name, &diff.identifier, diff.slices, folders)?)?)?;
        lines.retain(|key, _| diff.all || !of_data.iter().any(|prefix| key.starts_with(prefix)));
        Ok(lines)
    };
    differences::print(&read(&diff.a)?, &read(&diff.b)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Value {
        serde_json::json!({ "plans_per_stage": [{ "batch_size": 2, "patch_size": [8, 8, 8] }], "name": "x" })
    }

    #[test]
    fn values_are_set_by_path() {
        let mut value = stage();
        set(&mut value, "plans_per_stage.0.patch_size=[16,16,16]").unwrap();
        set(&mut value, "name=y").unwrap();
        assert_eq!(value["plans_per_stage"][0]["patch_size"], serde_json::json!([16, 16, 16]));
        assert_eq!(value["name"], "y");
    }

    #[test]
    fn unknown_keys_get_the_nearest() {
        let error = set(&mut stage(), "plans_per_stage.0.batchsize=3").unwrap_err().to_string();
        assert!(error.ends_with("there is no `batchsize`; did you mean `batch_size`?"), "{error}");
        assert!(set(&mut stage(), "plans_per_stage.1.batch_size=3").is_err());
        assert!(set(&mut stage(), "name").is_err());
    }
}
