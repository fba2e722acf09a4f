//! A zip of trained models (v1 `export_pretrained_model`).

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_engine::provenance::PluginUse;
use nnunet_formats::atomic;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::plugins::CarriedPlugins;
use crate::models::{in_v1, nearest};
use crate::training_images;

/// Files of a fold without which it cannot predict.
const NEEDED: [&str; 2] = ["model_final_checkpoint.model", "model_final_checkpoint.model.pkl"];
/// Files that describe how a fold was trained.
const WELCOME: [&str; 3] = ["debug.json", "progress.png", "network_architecture.pdf"];

/// What to export.
#[derive(Debug, Clone)]
pub struct Export {
    /// `RESULTS_FOLDER/nnUNet`; names in the archive are relative to it.
    pub results: PathBuf,
    /// Name of the task.
    pub task: String,
    /// Configuration, trainer and plans of every model.
    pub models: Vec<[String; 3]>,
    /// Folds: numbers, or `all`.
    pub folds: Vec<String>,
    /// A model or a postprocessing that is missing is an error.
    pub strict: bool,
    /// Packs of plugins that the archive carries.
    pub packs: Vec<PathBuf>,
}

impl Export {
    /// The files, relative to `results`: of every model its folds, plans and postprocessing; then what was found for
    /// ensembles of two of the models.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut exported = Vec::new();
        for [configuration, trainer, plans] in &self.models {
            let model = Path::new(configuration).join(&self.task).join(format!("{trainer}__{plans}"));
            if self.results.join(&model).is_dir() {
                self.model(&model, &mut files)?;
                exported.push(format!("{configuration}__{trainer}__{plans}"));
            } else if self.strict {
                bail!(
                    "there is no model at {}; {}. Name the configurations with -m, or leave missing ones out with \
                     --disable_strict",
                    self.results.join(&model).display(),
                    nearest(&[&self.task, configuration, trainer, plans], &in_v1(&self.results))
                );
            } else {
                tracing::info!("{configuration} has no model and is left out");
            }
        }
        ensure!(!exported.is_empty(), "there is no model of {} to export", self.task);
        files.extend(self.ensembles(&exported));
        Ok(files)
    }

    /// The plugins that the models were made with.
    ///
    /// # Errors
    /// As [`export`].
    pub fn plugins(&self) -> Result<Vec<PluginUse>> {
        Ok(CarriedPlugins::of(&self.results, &self.files()?, &[])?.needed)
    }

    fn model(&self, model: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        for fold in &self.folds {
            let fold = model.join(if fold == "all" { "all".to_owned() } else { format!("fold_{fold}") });
            for name in NEEDED {
                let path = self.results.join(&fold).join(name);
                ensure!(
                    path.is_file(),
                    "{} is missing; train that fold, or name others with -f",
                    path.display()
                );
                files.push(fold.join(name));
            }
            files.extend(WELCOME.iter().map(|name| fold.join(name)).filter(|file| self.exists(file)));
        }
        let plans = model.join("plans.pkl");
        ensure!(self.exists(&plans), "{} is missing", self.results.join(&plans).display());
        files.push(plans);
        let about_images = ["dataset.json", training_images::FILE].map(|name| model.join(name));
        files.extend(about_images.into_iter().filter(|file| self.exists(file)));
        let postprocessing = model.join("postprocessing.json");
        match self.exists(&postprocessing) {
            true => files.push(postprocessing),
            false if self.strict => bail!(
                "{} is missing; run nnunet find_best_configuration or determine_postprocessing, or use \
                 --disable_strict",
                self.results.join(&postprocessing).display()
            ),
            false => tracing::info!("{} has no postprocessing.json", model.display()),
        }
        Ok(())
    }

    fn ensembles(&self, exported: &[String]) -> Vec<PathBuf> {
        let folder = Path::new("ensembles").join(&self.task);
        let pairs = exported.iter().flat_map(|a| exported.iter().map(move |b| format!("ensemble_{a}--{b}")));
        let files = pairs.map(|name| folder.join(name).join("postprocessing.json"));
        files.filter(|file| self.exists(file)).collect()
    }

    fn exists(&self, file: &Path) -> bool {
        self.results.join(file).is_file()
    }
}

/// Writes the archive; returns how many files it holds.
///
/// # Errors
/// Returns an error for models or folds that are missing, or an I/O error.
pub fn export(what: &Export, to: &Path) -> Result<usize> {
    let files = what.files()?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let plugins = CarriedPlugins::of(&what.results, &files, &what.packs)?;
    let more = plugins.files(&what.packs, folder.path())?;
    write(&files, &what.results, &more, to)?;
    Ok(files.len() + more.len())
}

/// Writes an archive of files whose names are relative to `root`, and of more files with their names in the archive.
pub(super) fn write(files: &[PathBuf], root: &Path, more: &[(String, PathBuf)], to: &Path) -> Result<()> {
    atomic::remove_abandoned(to.parent().unwrap_or(root));
    atomic::replace(to, |temporary| -> Result<()> {
        let file = std::fs::File::create(temporary)?;
        let mut archive = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
        for name in files {
            let path = root.join(name);
            add(&mut archive, &name.to_string_lossy(), &path).with_context(|| name.display().to_string())?;
        }
        for (name, path) in more {
            add(&mut archive, name, path).with_context(|| path.display().to_string())?;
        }
        Ok(archive.finish()?.flush()?)
    })
}

fn add(archive: &mut ZipWriter<BufWriter<std::fs::File>>, name: &str, path: &Path) -> Result<()> {
    let mut file = std::fs::File::open(path)?;
    let large = file.metadata()?.len() > u64::from(u32::MAX) / 2;
    archive.start_file(name, SimpleFileOptions::default().large_file(large))?;
    std::io::copy(&mut file, archive)?;
    Ok(())
}
