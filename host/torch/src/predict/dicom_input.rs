//! DICOM series as input of a prediction: they become NIfTI images first.

use anyhow::{Context, Result};
use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_formats::atomic::{self, TemporaryFolder};

/// If the input is a folder of DICOM series: a temporary folder with their images, and the arguments for it.
///
/// # Errors
/// Returns an error if a series cannot be read.
pub(super) fn converted(args: &Args) -> Result<Option<(TemporaryFolder, Args)>> {
    if !nnunet_ingest::has_series(&args.input) {
        return Ok(None);
    }
    folders::create(&args.output)?;
    let folder = atomic::temporary_folder(&args.output).with_context(|| args.output.display().to_string())?;
    let cases = nnunet_ingest::convert(std::slice::from_ref(&args.input), &[], folder.path()).context(
        "reading DICOM series; for several channels, or one of several series, convert them first: nnunet ingest --images FOLDER \
         --series WORD -o IMAGES",
    )?;
    let cases = cases.cases;
    report::line(&format!("{cases} DICOM series in {}", args.input.display()));
    let args = Args { input: folder.path().to_owned(), ..args.clone() };
    Ok(Some((folder, args)))
}
