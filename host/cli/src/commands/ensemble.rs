//! `ensemble`: merges the predictions of several models, of v1 or of v2.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::failures;
use nnunet_data::folders::{self, case_names};
use nnunet_data::images::DEFAULT_ENDING;
use nnunet_data::selection::{Merge, apply_to_folder, merge};
use nnunet_data::v2::{Ensemble, is_v2};
use nnunet_engine::session::Session;

use super::postprocessing_choice::PostprocessingChoice;
use crate::report;

/// Arguments of v1's command.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of predictions with npz and pkl files.
    #[arg(short = 'f', long = "folders", num_args = 1.., required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// Folder for the result.
    #[arg(short = 'o', long = "output_folder", required = true)]
    pub(super) output: PathBuf,
    /// Cases at a time.
    #[arg(short = 't', long = "threads", default_value_t = 2)]
    pub(super) threads: usize,
    #[command(flatten)]
    pub(super) postprocessing: PostprocessingChoice,
    /// Also write the mean probabilities.
    #[arg(long, alias = "save_npz")]
    pub(super) npz: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for folders that lack files of each other's cases, or one error that lists all cases that cannot
/// be merged.
pub(crate) fn run(args: &Args, session: &Session) -> Result<()> {
    folders::keep_inputs(std::slice::from_ref(&args.output), &args.folders)?;
    let cases = cases(&args.folders)?;
    let postprocessor = args.postprocessing.postprocessor(session)?;
    let raw = match postprocessor {
        Some(_) => args.output.join("not_postprocessed"),
        None => args.output.clone(),
    };
    folders::create(&raw)?;
    let pool = failures::threads(args.threads)?;
    let bar = report::bar(cases.len(), "merging");
    let v2 = is_v2(&args.folders[0]).then(|| Ensemble::new(&args.folders[0], &raw)).transpose()?;
    let one = |case: &String| {
        let sources: Vec<PathBuf> =
            args.folders.iter().map(|folder| folder.join(format!("{case}.npz"))).collect();
        let done = match &v2 {
            Some(v2) => v2.merge(&sources, &raw.join(format!("{case}{}", v2.file_ending)), args.npz),
            None => {
                let output = raw.join(format!("{case}{DEFAULT_ENDING}"));
                merge(&Merge { sources, output, save_npz: args.npz })
            }
        };
        bar.inc(1);
        done.with_context(|| case.clone())
    };
    let merged = pool.install(|| failures::each("cases cannot be merged", &cases, one));
    bar.finish_and_clear();
    merged?;
    if let Some(postprocessor) = postprocessor {
        apply_to_folder(&raw, &args.output, &*postprocessor)?;
        args.postprocessing.note(&args.output)?;
    }
    report::line(&format!("merged {} cases into {}", cases.len(), args.output.display()));
    Ok(())
}

/// All cases of all folders; each must be in every folder.
fn cases(folders: &[PathBuf]) -> Result<Vec<String>> {
    let mut all = BTreeSet::new();
    for folder in folders {
        all.extend(case_names(folder)?);
    }
    let shown: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    ensure!(
        !all.is_empty(),
        "there are no npz files in {}; predict with probabilities (-z, for v2 --save_probabilities)",
        shown.join(", ")
    );
    let file = |folder: &Path, case: &str, ending: &str| folder.join(format!("{case}.{ending}"));
    let files = |case: &String| -> Vec<PathBuf> {
        folders.iter().flat_map(|folder| ["npz", "pkl"].map(|ending| file(folder, case, ending))).collect()
    };
    let missing: Vec<String> = all
        .iter()
        .flat_map(files)
        .filter(|path| !path.is_file())
        .map(|path| path.display().to_string())
        .collect();
    ensure!(missing.is_empty(), "missing, though another folder has the case: {}", missing.join(", "));
    Ok(all.into_iter().collect())
}
