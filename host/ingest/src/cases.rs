//! Finds the images and masks of cases in folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::images;
use nnunet_dicom::{Series, is_dicom};
use nnunet_formats::case_and_channel;

use crate::numbers::{self, Numbered};

/// What masks are often called behind the name of their image.
const MASKS: [&str; 9] =
    ["_mask", "-mask", "_seg", "-seg", "_label", "_labels", "_segmentation", "_gt", "_annotation"];
/// Modalities of DICOM files that are not images of a patient.
const NO_IMAGES: [&str; 4] = ["SEG", "PR", "SR", "KO"];
/// Names that a message lists.
const MOST_NAMES: usize = 10;

/// What a channel, or several, are read from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Series(Box<Series>),
}

/// The sources of the channels of cases, by name.
pub(crate) type Images = BTreeMap<String, Vec<Source>>;

/// The images of all cases. Each folder has one channel, or several: files of one name that end in `_0000`, `_0001` and so
/// on, or DICOM series whose names contain the words of `series`.
///
/// # Errors
/// Returns an error for a folder without images, a case that another folder does not have, or a series that is not there
/// once.
pub(crate) fn images(folders: &[PathBuf], series: &[String]) -> Result<Images> {
    let mut all = Images::new();
    for (number, folder) in folders.iter().enumerate() {
        let found = of_folder(folder, series)?;
        if number > 0 {
            let missing =
                |a: &Images, b: &Images| a.keys().filter(|name| !b.contains_key(*name)).cloned().collect();
            all_there(missing(&all, &found), folder)?;
            all_there(missing(&found, &all), &folders[0])?;
        }
        for (name, sources) in found {
            all.entry(name).or_default().extend(sources);
        }
    }
    Ok(all)
}

fn all_there(missing: Vec<String>, folder: &Path) -> Result<()> {
    ensure!(missing.is_empty(), "{} has no images of {}", folder.display(), listed(&missing));
    Ok(())
}

/// Names for a message.
pub(crate) fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let text = names[..names.len() - more].join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn of_folder(folder: &Path, series: &[String]) -> Result<Images> {
    let mut found = Images::new();
    let mut folders: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut channels = Numbered::new();
    let entries = entries(folder)?;
    if entries.iter().any(|path| path.is_file() && is_dicom(path)) {
        let name = case_name(folder)?;
        return Ok([(name, chosen(folder, series)?)].into());
    }
    for path in entries {
        let name = case_name(&path)?;
        if path.is_dir() {
            if has_dicom(&path) {
                // Names are without blanks: `a 1` and `a_1` are one.
                if let Some(other) = folders.insert(name.clone(), path.clone()) {
                    bail!("{} and {} are the same case {name}", other.display(), path.display());
                }
                found.insert(name, chosen(&path, series).with_context(|| path.display().to_string())?);
            }
        } else if images::ending(&name).is_some() && !name.ends_with(".img") {
            let stem = images::stem(&name);
            let (case, channel) = case_and_channel(stem).unwrap_or((stem, 0));
            if let Some(other) = channels.entry(case.to_owned()).or_default().insert(channel, path.clone()) {
                bail!("{} and {} are the same image of case {case}", other.display(), path.display());
            }
        }
    }
    let lacking = numbers::incomplete(&channels);
    let lacking: Vec<String> = lacking.iter().map(|(case, channels)| format!("{case} lacks {channels}")).collect();
    ensure!(lacking.is_empty(), "{} has not all channels of every case: {}", folder.display(), listed(&lacking));
    for (name, files) in channels {
        ensure!(!found.contains_key(&name), "{} has a folder and a file of case {name}", folder.display());
        found.insert(name, files.into_values().map(Source::File).collect());
    }
    ensure!(
        !found.is_empty(),
        "{} has no images, and no folders with DICOM series; known endings: .nii.gz, .nii, .mha, .nrrd, .tif, .png, .bmp",
        folder.display()
    );
    Ok(found)
}

/// Whether a folder has DICOM series, itself or in its folders, and no other images.
#[must_use]
pub fn has_series(folder: &Path) -> bool {
    let Ok(entries) = entries(folder) else { return false };
    let is_image = |path: &PathBuf| {
        path.is_file()
            && path.file_name().is_some_and(|name| images::ending(&name.to_string_lossy()).is_some())
    };
    !entries.iter().any(is_image) && has_dicom(folder)
}

fn has_dicom(folder: &Path) -> bool {
    let entries = entries(folder).unwrap_or_default();
    entries.iter().any(|path| if path.is_dir() { has_dicom(path) } else { is_dicom(path) })
}

/// What is in a folder, sorted; hidden files and links to folders are left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the folder {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let is_link_to_folder =
            entry.file_type().is_ok_and(|kind| kind.is_symlink()) && entry.path().is_dir();
        if !entry.file_name().as_encoded_bytes().starts_with(b".") && !is_link_to_folder {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The name of a file or folder, without blanks.
fn case_name(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?;
    let name = path.file_name().with_context(|| format!("{} has no name", path.display()))?;
    Ok(name.to_string_lossy().split_whitespace().collect::<Vec<_>>().join("_"))
}

/// The series of a folder: the only one, or for each word the only one whose name contains it.
fn chosen(folder: &Path, words: &[String]) -> Result<Vec<Source>> {
    let mut all = nnunet_dicom::list(folder)?;
    all.retain(|series| !NO_IMAGES.contains(&series.modality.as_str()));
    let names = || {
        let name = |series: &Series| format!("\"{}\" ({} files)", series.name, series.files.len());
        listed(&all.iter().map(name).collect::<Vec<_>>())
    };
    if words.is_empty() {
        let [only] = &all[..] else {
            bail!("it has {} series; choose with --series WORD for each channel: {}", all.len(), names())
        };
        return Ok(vec![Source::Series(Box::new(only.clone()))]);
    }
    let one = |word: &String| {
        let fits = |series: &&Series| series.name.to_lowercase().contains(&word.to_lowercase());
        let found: Vec<&Series> = all.iter().filter(fits).collect();
        match found[..] {
            [series] => Ok(Source::Series(Box::new(series.clone()))),
            [] => bail!("no series has \"{word}\" in its name; there are {}", names()),
            _ => bail!("{} series have \"{word}\" in their names; there are {}", found.len(), names()),
        }
    };
    words.iter().map(one).collect()
}

/// The masks of cases: files of the case's name, or with a word such as `_mask` behind it.
///
/// # Errors
/// Returns an error if there is no mask of a case, or more than one.
pub(crate) fn masks(folder: &Path, cases: &Images) -> Result<BTreeMap<String, PathBuf>> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut others = Vec::new();
    for path in entries(folder)? {
        let name = case_name(&path)?;
        if path.is_dir() || is_dicom(&path) {
            ensure!(
                path.is_dir() && !has_dicom(&path),
                "{}: DICOM segmentations are not read; export the masks as NIfTI, NRRD or MetaImage",
                path.display()
            );
            continue;
        }
        if images::ending(&name).is_none() || name.ends_with(".img") {
            continue;
        }
        let Some(case) = case_of_mask(images::stem(&name), cases) else {
            others.push(name);
            continue;
        };
        if let Some(other) = found.insert(case.to_owned(), path.clone()) {
            bail!("{} and {} are masks of the same case", other.display(), path.display());
        }
    }
    let missing: Vec<String> = cases.keys().filter(|name| !found.contains_key(*name)).cloned().collect();
    if !missing.is_empty() {
        let hint = if others.is_empty() {
            String::new()
        } else {
            format!("; masks of no image: {}", listed(&others))
        };
        bail!(
            "{} has no masks of {}{hint}. A mask has the name of its image; images without masks go into a folder for --test",
            folder.display(),
            listed(&missing)
        );
    }
    Ok(found)
}

fn case_of_mask<'a>(stem: &str, cases: &'a Images) -> Option<&'a str> {
    let known = |name: &str| cases.get_key_value(name).map(|(name, _)| name.as_str());
    let without = |word: &&str| stem.strip_suffix(*word).and_then(known);
    known(stem).or_else(|| MASKS.iter().find_map(without)).or_else(|| known(case_and_channel(stem)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    #[test]
    fn masks_are_found_by_the_names_of_their_images() {
        let images_of = folder(&["a.png", "b c.png", "notes.txt", "d_0000.nii.gz", "d_0001.nii.gz"]);
        let cases = images(&[images_of.path().to_owned()], &[]).unwrap();
        assert_eq!(cases.keys().collect::<Vec<_>>(), ["a", "b_c", "d"]);
        assert_eq!(cases["d"].len(), 2);
        let complete = folder(&["a_mask.png", "b c.png", "d-seg.nii.gz"]);
        assert_eq!(masks(complete.path(), &cases).unwrap().len(), 3);
        let less = folder(&["a_mask.png", "x.png"]);
        let error = masks(less.path(), &cases).unwrap_err().to_string();
        assert!(error.contains("no masks of b_c, d; masks of no image: x.png"), "{error}");
        let twice = folder(&["a.png", "a_seg.png"]);
        assert!(masks(twice.path(), &cases).unwrap_err().to_string().contains("of the same case"));
    }

    #[test]
    fn all_folders_of_channels_have_the_same_cases() {
        let (ct, pet) = (folder(&["a.nii.gz", "b.nii.gz"]), folder(&["a.nrrd"]));
        let folders = [ct.path().to_owned(), pet.path().to_owned()];
        let error = images(&folders, &[]).unwrap_err().to_string();
        assert!(error.ends_with("has no images of b"), "{error}");
        std::fs::write(pet.path().join("b.nrrd"), "").unwrap();
        assert_eq!(images(&folders, &[]).unwrap()["b"].len(), 2);
        assert!(
            images(&[folder(&["x.txt"]).path().to_owned()], &[])
                .unwrap_err()
                .to_string()
                .contains("has no images")
        );
    }
}
