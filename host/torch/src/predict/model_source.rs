//! Finds the model: in the results folder, in a folder that the user names, or in an archive.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_cli::commands::predict::Args;
use nnunet_data::folders::{CASCADE, Folders};
use nnunet_data::{exchange, folders, models, v2};
use nnunet_engine::session::Session;

/// A model's folder.
pub(super) enum ModelSource {
    Folder(PathBuf),
    /// Unpacked from an archive into a temporary folder.
    Unpacked {
        folder: PathBuf,
        _all: tempfile::TempDir,
    },
}

impl ModelSource {
    pub(super) fn of(args: &Args, session: &Session) -> Result<Self> {
        if let Some(path) = &args.model_folder {
            return if path.is_file() { unpacked(path, args) } else { Ok(ModelSource::Folder(path.clone())) };
        }
        if let (Some(dataset), Some(configuration)) = (&args.dataset, &args.configuration) {
            let model = format!("{}__{}__{configuration}", args.trainer, args.plans);
            let of_dataset = of_dataset(&v2_results()?, dataset)?;
            let dataset = of_dataset.file_name().unwrap_or_default().to_string_lossy();
            let wanted = [&*dataset, configuration, &args.trainer, &args.plans];
            return there(of_dataset.join(model), &wanted, session);
        }
        let folders = Folders::new(&session.files);
        let task = folders.task_name(args.task.as_deref().context("-t, -d or --model-folder is needed")?)?;
        let trainer = match &*args.model {
            CASCADE => &args.cascade_trainer,
            _ => &args.trainer,
        };
        let folder = folders.model(&args.model, &task, trainer, &args.plans)?;
        there(folder, &[&task, &args.model, trainer, &args.plans], session)
    }

    pub(super) fn folder(&self) -> &Path {
        match self {
            ModelSource::Folder(folder) | ModelSource::Unpacked { folder, .. } => folder,
        }
    }
}

/// A model's folder, if it is there; otherwise an error with the models whose names are nearest to `wanted`.
fn there(folder: PathBuf, wanted: &[&str], session: &Session) -> Result<ModelSource> {
    if !folder.is_dir() {
        let all =
            models::trained(&Folders::new(&session.files), v2::Folders::from_environment().results().ok());
        bail!("there is no model at {}; {}", folder.display(), models::nearest(wanted, &all));
    }
    Ok(ModelSource::Folder(folder))
}

fn v2_results() -> Result<PathBuf> {
    let set = std::env::var_os("nnUNet_results").filter(|value| !value.is_empty());
    set.map(PathBuf::from).context("nnUNet_results is not set; -d looks for v2's models there")
}

/// The end of a message about a data set that has no models: those that have.
fn datasets(results: &Path) -> String {
    let names = folders::subfolders(results).into_iter().filter(|name| name.starts_with("Dataset"));
    let names: Vec<String> = names.collect();
    if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
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
        [] => bail!("{} has no folder {start}...{}", results.display(), datasets(results)),
        several => bail!("{} has several folders of that number: {}", results.display(), several.join(", ")),
    }
}

/// A model of an archive, of v1 or v2: the only one, or the one of the configuration that is asked for.
fn unpacked(archive: &Path, args: &Args) -> Result<ModelSource> {
    let all = tempfile::tempdir()?;
    let models = exchange::install(archive, all.path(), false)?;
    let wanted = args.configuration.as_deref().unwrap_or(&args.model);
    let folder = match &models[..] {
        [only] => only,
        several => {
            let mut fitting = several.iter().filter(|folder| is_of(folder, wanted));
            let (Some(found), None) = (fitting.next(), fitting.next()) else {
                bail!(
                    "{} holds {} models, of which not one alone is of {wanted}; name another configuration (-m for \
                     v1, -c for v2), or install it with install_pretrained_model_from_zip",
                    archive.display(),
                    several.len()
                )
            };
            found
        }
    };
    Ok(ModelSource::Unpacked { folder: folder.clone(), _all: all })
}

/// Whether a model's folder is of a configuration: `CONFIGURATION/TASK/TRAINER__PLANS` of v1, or
/// `TRAINER__PLANS__CONFIGURATION` of v2.
fn is_of(folder: &Path, configuration: &str) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let of_v1 = folder.ancestors().nth(2).and_then(Path::file_name);
    name.split("__").nth(2).map_or(of_v1 == Some(configuration.as_ref()), |own| own == configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_both_versions_have_configurations() {
        let v1 = Path::new("nnUNet/3d_lowres/Task004_A/nnUNetTrainerV2__nnUNetPlansv2.1");
        let v2 = Path::new("nnUNet/2d/nnUNetTrainer__nnUNetPlans__3d_lowres");
        assert!([v1, v2].iter().all(|folder| is_of(folder, "3d_lowres")));
        assert!(!is_of(v1, "3d_fullres") && !is_of(v2, "2d"));
    }

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
