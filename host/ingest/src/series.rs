//! The series of a folder that are the channels of a case.

use std::path::Path;

use anyhow::{Result, bail};
use nnunet_dicom::Series;

use crate::entries::listed;

/// Modalities of DICOM files that are not images of a patient.
const NO_IMAGES: [&str; 4] = ["SEG", "PR", "SR", "KO"];

/// The series of a folder: the only one, or for each word the only one whose name contains it.
///
/// # Errors
/// Returns an error for a damaged file, a series that is not there once, or one whose slices are not a grid.
pub(crate) fn chosen(folder: &Path, words: &[String]) -> Result<Vec<Series>> {
    let mut all = nnunet_dicom::list(folder)?;
    all.retain(|series| !NO_IMAGES.contains(&series.modality.as_str()));
    let names = || {
        let name = |series: &Series| format!("\"{}\" ({} files)", series.name, series.files.len());
        listed(&all.iter().map(name).collect::<Vec<_>>())
    };
    let series = if words.is_empty() {
        let [only] = &all[..] else {
            bail!("it has {} series; choose with --series WORD for each channel: {}", all.len(), names())
        };
        vec![only.clone()]
    } else {
        let one = |word: &String| {
            let fits = |series: &&Series| series.name.to_lowercase().contains(&word.to_lowercase());
            let found: Vec<&Series> = all.iter().filter(fits).collect();
            match found[..] {
                [series] => Ok(series.clone()),
                [] => bail!("no series has \"{word}\" in its name; there are {}", names()),
                _ => bail!("{} series have \"{word}\" in their names; there are {}", found.len(), names()),
            }
        };
        words.iter().map(one).collect::<Result<Vec<_>>>()?
    };
    series.iter().try_for_each(|series| series.geometry.clone().map(drop))?;
    Ok(series)
}
