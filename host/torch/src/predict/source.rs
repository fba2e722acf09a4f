//! Where the model is: in the folder of results, in a folder of its own, or in an archive.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_host::commands::predict::Args;
use nnunet_host::exchange;
use nnunet_host::folders::{CASCADE, Folders};

/// A model's folder.
pub(super) enum Source {
    Folder(PathBuf),
    /// Unpacked from an archive into a folder that goes when prediction is over.
    Unpacked {
        folder: PathBuf,
        _all: tempfile::TempDir,
    },
}

impl Source {
    pub(super) fn of(args: &Args) -> Result<Self> {
        if let Some(path) = &args.model_folder {
            return if path.is_file() { unpacked(path) } else { Ok(Source::Folder(path.clone())) };
        }
        if let (Some(dataset), Some(configuration)) = (&args.dataset, &args.configuration) {
            let model = format!("{}__{}__{configuration}", args.trainer, args.plans);
            return Ok(Source::Folder(of_dataset(&v2_results()?, dataset)?.join(model)));
        }
        let folders = Folders::from_environment();
        let task = folders.task_name(args.task.as_deref().context("-t, -d or --model-folder is needed")?)?;
        let trainer = match &*args.model {
            CASCADE => &args.cascade_trainer,
            _ => &args.trainer,
        };
        folders.model(&args.model, &task, trainer, &args.plans).map(Source::Folder)
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            Source::Folder(folder) | Source::Unpacked { folder, .. } => folder,
        }
    }
}

fn v2_results() -> Result<PathBuf> {
    let set = std::env::var_os("nnUNet_results").filter(|value| !value.is_empty());
    set.map(PathBuf::from).context("nnUNet_results is not set; -d looks for v2's models there")
}

/// The folder of a data set: `Dataset004_Name`, or the one with that number.
fn of_dataset(results: &Path, dataset: &str) -> Result<PathBuf> {
    let Ok(number) = dataset.parse::<u32>() else { return Ok(results.join(dataset)) };
    let start = format!("Dataset{number:03}_");
    let entries = std::fs::read_dir(results).with_context(|| results.display().to_string())?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let found: Vec<String> = names.filter(|name| name.starts_with(&start)).collect();
    match &found[..] {
        [name] => Ok(results.join(name)),
        [] => bail!("{} has no folder {start}...", results.display()),
        several => bail!("{} has several folders of that number: {}", results.display(), several.join(", ")),
    }
}

/// An archive with one model, of v1 or v2.
fn unpacked(archive: &Path) -> Result<Source> {
    let all = tempfile::tempdir()?;
    let models = exchange::install(archive, all.path(), false)?;
    match &models[..] {
        [folder] => Ok(Source::Unpacked { folder: folder.clone(), _all: all }),
        several => bail!(
            "{} holds {} models; install it with install_pretrained_model_from_zip and name one",
            archive.display(),
            several.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sets_are_found_by_number() {
        let results = tempfile::tempdir().unwrap();
        std::fs::create_dir(results.path().join("Dataset004_A")).unwrap();
        let found =
            |name: &str| of_dataset(results.path(), name).map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(found("4").unwrap(), "Dataset004_A");
        assert_eq!(found("Dataset005_B").unwrap(), "Dataset005_B");
        assert!(found("5").unwrap_err().to_string().contains("no folder Dataset005_"));
        std::fs::create_dir(results.path().join("Dataset004_C")).unwrap();
        assert!(found("4").unwrap_err().to_string().contains("several folders"));
    }
}
