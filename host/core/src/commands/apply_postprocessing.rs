//! `apply_postprocessing`: a postprocessor over a folder of label maps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_plugin_api::{Config, Postprocessor};

use crate::config::World;
use crate::registry::Registry;
use crate::selection::{Postprocessing, apply_to_folder};
use crate::{pipeline, report};

/// Which postprocessing.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// A postprocessing.json.
    #[arg(
        long = "pp",
        visible_alias = "postprocessing_file",
        alias = "postprocessing-file",
        value_name = "FILE"
    )]
    file: Option<PathBuf>,
    /// A postprocessor by name, of the program or of a plugin.
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    postprocessor: Option<String>,
    /// Its parameters as TOML, for example 'mm3 = 50.0'.
    #[arg(long, value_name = "TOML", requires = "postprocessor")]
    parameters: Option<String>,
}

impl Chosen {
    /// The postprocessor, if one is chosen.
    pub(super) fn postprocessor(&self, registry: &Registry) -> Result<Option<Box<dyn Postprocessor>>> {
        if let Some(file) = &self.file {
            return Ok(Some(Box::new(Postprocessing::load(file)?)));
        }
        let Some(name) = &self.postprocessor else { return Ok(None) };
        let config: Config = match &self.parameters {
            Some(text) => toml::from_str(text).with_context(|| format!("--parameters `{text}`"))?,
            None => Config::new(),
        };
        registry.postprocessor(name, &config).map(Some)
    }

    /// Leaves a copy of the file with the results, as v1 does.
    pub(super) fn note(&self, folder: &Path) -> Result<()> {
        self.file
            .as_ref()
            .map_or(Ok(()), |file| pipeline::copy_file(file, &folder.join("postprocessing.json")))
    }
}

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of label maps.
    #[arg(short = 'i', long = "input_folder", alias = "input-folder")]
    input: PathBuf,
    /// Folder for the result.
    #[arg(short = 'o', long = "output_folder", alias = "output-folder")]
    output: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
}

/// Runs the command.
///
/// # Errors
/// An unknown postprocessor; all files that cannot be treated, together.
pub(super) fn run(args: &Args, world: &World) -> Result<()> {
    let postprocessor = args.chosen.postprocessor(&world.registry)?;
    let postprocessor =
        postprocessor.context("name a postprocessor with -pp FILE or --postprocessor NAME")?;
    apply_to_folder(&args.input, &args.output, &*postprocessor)?;
    args.chosen.note(&args.output)?;
    report::line(&format!("wrote {}", args.output.display()));
    Ok(())
}
