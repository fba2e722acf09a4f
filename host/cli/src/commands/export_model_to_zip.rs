//! `export_model_to_zip`: exports trained models to a zip archive.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::exchange::{self, Export};
use nnunet_data::folders::{self, CASCADE, CONFIGURATIONS, Folders};
use nnunet_engine::provenance::PluginUse;
use nnunet_engine::session::Session;
use nnunet_engine::ship::write_pack;

use crate::arguments::fold;
use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task, by name or number.
    #[arg(short = 't', required = true)]
    task: String,
    /// The archive to write.
    #[arg(short = 'o', required = true)]
    output: PathBuf,
    /// Configurations.
    #[arg(short = 'm', num_args = 1.., default_values_t = CONFIGURATIONS.map(str::to_owned))]
    models: Vec<String>,
    /// Trainer of all but the cascade.
    #[arg(long = "tr", default_value = crate::defaults::TRAINER)]
    trainer: String,
    /// Trainer of the cascade.
    #[arg(long = "trc", default_value = "nnUNetTrainerV2CascadeFullRes")]
    cascade_trainer: String,
    /// Identifier of the plans.
    #[arg(long = "pl", default_value = crate::defaults::PLANS)]
    plans: String,
    /// Leave out models that are missing, and export models without postprocessing.
    #[arg(long = "disable_strict")]
    disable_strict: bool,
    /// Folds, or all.
    #[arg(short = 'f', num_args = 1.., value_parser = fold, default_values_t = ["0", "1", "2", "3", "4"].map(str::to_owned))]
    folds: Vec<String>,
    /// Replace the archive if it exists.
    #[arg(long)]
    overwrite: bool,
    /// Put packs of the plugins that the models need into the archive. They must be in use here.
    #[arg(long = "with_plugins")]
    with_plugins: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for an archive that exists already, or as [`exchange::export`].
pub(crate) fn run(args: &Args, folders: &Folders, session: impl Fn() -> Result<Session>) -> Result<()> {
    ensure!(
        args.overwrite || !args.output.exists(),
        "{} exists already; replace it with --overwrite, or name another file",
        args.output.display()
    );
    let trainer = |configuration: &str| {
        if configuration == CASCADE { &args.cascade_trainer } else { &args.trainer }.clone()
    };
    let model = |name: &String| [name.clone(), trainer(name), args.plans.clone()];
    let mut what = Export {
        results: folders.results()?,
        task: folders.task_name(&args.task)?,
        models: args.models.iter().map(model).collect(),
        folds: args.folds.clone(),
        strict: !args.disable_strict,
        packs: Vec::new(),
    };
    let packs = tempfile::tempdir().context("no temporary folder")?;
    if args.with_plugins {
        what.packs = pack(&what.plugins()?, &session()?, packs.path())?;
    }
    if let Some(folder) = args.output.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        folders::create(folder)?;
    }
    let files = exchange::export(&what, &args.output).context("nothing was exported")?;
    report::line(&format!("exported {files} files to {}", args.output.display()));
    Ok(())
}

/// Packs of plugins, written to a folder.
fn pack(needed: &[PluginUse], session: &Session, to: &Path) -> Result<Vec<PathBuf>> {
    let pack = |plugin: &PluginUse| -> Result<PathBuf> {
        let found = session.plugin(&plugin.name);
        let found =
            found.with_context(|| format!("the models need plugin {plugin}, which is not in use here"))?;
        ensure!(
            found.sha256 == plugin.sha256,
            "the models need plugin {plugin}; here it is version {} with sha256 {}",
            found.about.version,
            found.sha256
        );
        Ok(write_pack(&found.path, None, to)?.0)
    };
    needed.iter().map(pack).collect()
}
