//! `audit`: inspects untrusted files without executing anything in them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::{exchange, failures};
use nnunet_formats::pickle::{self, Value};
use nnunet_formats::{nifti, npz, torch_zip};
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Checkpoints, pickles, npz archives, exported models or NIfTI images.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Returns one error that lists all files that cannot be read.
pub(crate) fn run(args: &Args) -> Result<()> {
    let shown = args.files.iter().map(|file| show(file));
    failures::all("files cannot be read", shown.collect())?;
    Ok(())
}

fn show(file: &Path) -> Result<()> {
    let lines = lines(file)?;
    let text = format!("{}\n  {}", file.display(), lines.join("\n  "));
    report::record("file_content", &json!({ "file": file.display().to_string(), "holds": lines }), &text);
    Ok(())
}

fn lines(file: &Path) -> Result<Vec<String>> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ending = name.rsplit('.').next().unwrap_or_default();
    match ending {
        "npz" => arrays(file),
        "gz" | "nii" => {
            let geometry = nifti::read(file)?.geometry;
            Ok(vec![format!(
                "image of {:?} voxels (x, y, z), spacing {:?} mm",
                geometry.size, geometry.spacing
            )])
        }
        "pkl" => Ok(entries(&pickle::load(file)?)),
        "zip" => checkpoint(file).or_else(|_| models(file)),
        _ => checkpoint(file),
    }
}

fn arrays(file: &Path) -> Result<Vec<String>> {
    let member = |name: String| {
        let header = npz::load(file, &name)?.header;
        Ok(format!("{name}: {} of {:?}", header.dtype.code(), header.shape))
    };
    npz::names(file)?.into_iter().map(member).collect()
}

fn checkpoint(file: &Path) -> Result<Vec<String>> {
    let checkpoint = torch_zip::load(file)?;
    let numbers: usize = checkpoint.tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    let mut lines = vec![format!("{} tensors, {numbers} numbers", checkpoint.tensors.len())];
    lines.extend(entries(&checkpoint.root));
    Ok(lines)
}

/// The files of an exported model; what is read when it is used is read here too.
fn models(file: &Path) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    exchange::install(file, folder.path(), false)?;
    let mut files = Vec::new();
    collect(folder.path(), &mut files)?;
    files.sort();
    let mut all = vec![format!("exported model of {} files", files.len())];
    for path in files {
        let name = path.strip_prefix(folder.path()).unwrap_or(&path).display().to_string();
        let inside = match path.extension().and_then(|ending| ending.to_str()) {
            Some("model" | "pth" | "pkl" | "npz") => lines(&path).with_context(|| name.clone())?,
            _ => vec![format!("{} bytes", path.metadata()?.len())],
        };
        all.push(format!("{name}: {}", inside.join("; ")));
    }
    Ok(all)
}

/// All files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The first level of a pickled object.
fn entries(value: &Value) -> Vec<String> {
    match value.entries() {
        Some(entries) => {
            entries.iter().map(|(key, value)| format!("{}: {}", words(key), words(value))).collect()
        }
        None => vec![words(value)],
    }
}

/// A value in a few words.
fn words(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.chars().take(200).collect();
    }
    if let Some(entries) = value.entries() {
        return format!("dictionary of {}", entries.len());
    }
    if let Some(items) = value.items() {
        return format!("list of {}", items.len());
    }
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Tensor(index) => format!("tensor {index}"),
        Value::Array(array) => format!("array of {:?}", array.shape),
        _ => "object".to_owned(),
    }
}
