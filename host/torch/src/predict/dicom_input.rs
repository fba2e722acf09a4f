//! DICOM series as input of a prediction: they become NIfTI images first.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_formats::atomic::{self, TemporaryFolder};
use nnunet_ingest::Readable;

/// The images of DICOM series.
pub(super) struct Converted {
    /// Has them, as long as it lives.
    _folder: TemporaryFolder,
    /// For a prediction of the images.
    pub(super) args: Args,
    /// Cases that cannot be read, with the reasons.
    pub(super) failed: BTreeMap<String, String>,
}

/// If the input is a folder of DICOM series: a temporary folder with their images, and the arguments for it.
///
/// # Errors
/// Returns an error if no series can be read.
pub(super) fn converted(args: &Args) -> Result<Option<Converted>> {
    if !nnunet_ingest::has_series(&args.input) {
        return Ok(None);
    }
    folders::create(&args.output)?;
    let folder = atomic::temporary_folder(&args.output).with_context(|| args.output.display().to_string())?;
    let Readable { cases, failed } = nnunet_ingest::convert_readable(&args.input, folder.path()).context(
        "reading DICOM series; for several channels, or one of several series, convert them first: nnunet ingest --images FOLDER \
         --series WORD -o IMAGES",
    )?;
    report::line(&format!("{cases} DICOM series in {}", args.input.display()));
    failed.iter().for_each(|(case, reason)| report::warning(&format!("{case}: {reason}")));
    let args = Args { input: folder.path().to_owned(), ..args.clone() };
    Ok(Some(Converted { _folder: folder, args, failed }))
}
