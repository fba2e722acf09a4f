//! The series of a folder that are the channels of a case.

use std::path::Path;

use anyhow::{Result, bail};
use nnunet_dicom::Series;

use crate::entries::listed;

/// Modalities of DICOM files that are not images of a patient.
const NO_IMAGES: [&str; 4] = ["SEG", "PR", "SR", "KO"];

/// The series of a folder: the only one, or for each word the only one whose name contains it, or whose number or
/// identifier it is.
///
/// # Errors
/// Returns an error for a damaged file, a series that is not there once, or one whose slices are not a grid.
pub(crate) fn chosen(folder: &Path, words: &[String]) -> Result<Vec<Series>> {
    let mut all = nnunet_dicom::list(folder)?;
    all.retain(|series| !NO_IMAGES.contains(&series.modality.as_str()));
    let names = || listed(&all.iter().map(|series| described(series, &all)).collect::<Vec<_>>());
    let series = if words.is_empty() {
        let [only] = &all[..] else {
            bail!("it has {} series; choose with --series WORD for each channel: {}", all.len(), names())
        };
        vec![only.clone()]
    } else {
        let one = |word: &String| {
            let found = fitting(&all, word);
            match found[..] {
                [series] => Ok(series.clone()),
                [] => bail!("no series has \"{word}\" in its name; there are {}", names()),
                _ => bail!(
                    "{} series have \"{word}\" in their names; --series also takes a number or an identifier; there are {}",
                    found.len(),
                    names()
                ),
            }
        };
        words.iter().map(one).collect::<Result<Vec<_>>>()?
    };
    for series in &series {
        if let Some(doubt) = &series.doubt {
            tracing::warn!("{}: {doubt}", folder.display());
        }
    }
    series.iter().try_for_each(|series| series.geometry.clone().map(drop))?;
    Ok(series)
}

/// The series that a word means: that of this number or identifier, or else those that have it in their names.
fn fitting<'a>(all: &'a [Series], word: &str) -> Vec<&'a Series> {
    let is_called = |series: &&Series| series.number.as_deref() == Some(word) || series.id == word;
    let called: Vec<&Series> = all.iter().filter(is_called).collect();
    if called.len() == 1 {
        return called;
    }
    all.iter().filter(|series| series.name.to_lowercase().contains(&word.to_lowercase())).collect()
}

/// A series for a message: with its number, its size, and its identifier where others are called the same.
fn described(series: &Series, all: &[Series]) -> String {
    let mut about = vec![format!("{} files", series.files.len())];
    about.extend(series.number.as_ref().map(|number| format!("number {number}")));
    if let Ok(geometry) = &series.geometry {
        let ([x, y, z], [dx, dy, dz]) = (geometry.size, geometry.spacing);
        about.push(format!("{x} x {y} x {z} voxels of {dx:.2} x {dy:.2} x {dz:.2} mm"));
    }
    let is_same = |other: &&Series| other.name == series.name && other.number == series.number;
    if all.iter().filter(is_same).count() > 1 {
        about.push(series.id.clone());
    }
    format!("\"{}\" ({})", series.name, about.join(", "))
}
