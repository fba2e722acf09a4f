//! `install_pretrained_model_from_zip`: installs a model exported by `export_model_to_zip`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::exchange::{self, CarriedPlugins};
use nnunet_data::folders::Folders;
use nnunet_data::v2;
use nnunet_engine::ship::{self, Source};
use serde_json::json;

use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The archive.
    zip: PathBuf,
    /// Replace files that are there already.
    #[arg(long)]
    overwrite: bool,
    /// Also install the plugins that the archive carries. They run with all your rights: use this only for archives of people
    /// you trust.
    #[arg(long = "install_plugins")]
    install_plugins: bool,
}

/// Runs the command.
///
/// # Errors
/// As [`exchange::install`].
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    let carried = CarriedPlugins::read(&args.zip)?;
    if args.install_plugins {
        install_plugins(&carried, &args.zip)?;
    }
    install(&args.zip, folders, args.overwrite)?;
    carried
        .needed
        .iter()
        .for_each(|plugin| report::line(&format!("the model was made with plugin {plugin}")));
    if !carried.packs.is_empty() && !args.install_plugins {
        report::line(&format!(
            "the archive carries {}, which were not installed; if you trust its author, repeat the command with \
             --install_plugins --overwrite",
            carried.packs.join(", ")
        ));
    }
    Ok(())
}

/// Installs the models of an archive: those of v1 in RESULTS_FOLDER, those of v2 in nnUNet_results.
///
/// # Errors
/// As [`exchange::install`]; a folder of results that is not set.
pub(super) fn install(archive: &Path, folders: &Folders, overwrite: bool) -> Result<()> {
    let results = if exchange::is_of_v2(archive)? {
        v2::Folders::from_environment().results()?.to_owned()
    } else {
        folders.results()?
    };
    for model in exchange::install(archive, &results, overwrite)? {
        report::line(&format!("installed {}", model.display()));
        report::event("installed", &json!({ "folder": model.display().to_string() }));
    }
    Ok(())
}

/// Installs the packs of an archive, after a description of each.
fn install_plugins(carried: &CarriedPlugins, archive: &Path) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    for path in carried.unpack(archive, folder.path())? {
        let source = Source::Pack(path);
        if let Some(pack) = source.pack()? {
            report::line(&pack.info.to_string());
        }
        let (about, to) = ship::install(&source.fetch()?, &Source::Pack(archive.to_owned()))?;
        report::line(&format!("installed {} {} in {}", about.name, about.version, to.display()));
    }
    Ok(())
}
