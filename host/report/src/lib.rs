//! A report of predictions or of a trained model as one HTML page, which needs no other files.

mod folder;
mod page;
mod settings;
mod slices;
mod sources;
mod tables;

use std::path::Path;

use anyhow::Result;
use nnunet_formats::atomic;

pub use sources::Sources;

/// Writes the report of a folder.
///
/// # Errors
/// Returns an error if the folder has neither predictions with a `summary.json` nor folds of a model, if a file in it
/// cannot be read, or if the page cannot be written.
pub fn write(sources: &Sources, output: &Path) -> Result<()> {
    let sections = folder::sections(&sources.folder)?;
    let page = page::Page::new(sources, &sections)?;
    Ok(atomic::write_bytes(output, page.render()?.as_bytes())?)
}
