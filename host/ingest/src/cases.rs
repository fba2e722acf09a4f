//! Finds the images of cases in folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use nnunet_data::images;
use nnunet_dicom::{Series, is_dicom};

use crate::entries::{case_name, entries, has_dicom, is_image};
use crate::numbers::{self, Numbered};
use crate::series::chosen;

/// What a channel, or several, are read from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(PathBuf),
    Series(Box<Series>),
}

/// The sources of the channels of cases, by name.
pub(crate) type Images = BTreeMap<String, Vec<Source>>;

/// The images of cases, and what is wrong with other cases: one of them hides nothing of the others.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) cases: Images,
    /// Reasons by case.
    pub(crate) failed: BTreeMap<String, String>,
}

impl Found {
    fn add(&mut self, case: String, sources: Result<Vec<Source>>) {
        match sources {
            Ok(sources) => self.cases.entry(case).or_default().extend(sources),
            Err(error) => self.fail(case, format!("{error:#}")),
        }
    }

    /// Leaves a case out; its first reason counts.
    pub(crate) fn fail(&mut self, case: String, reason: String) {
        self.cases.remove(&case);
        self.failed.entry(case).or_insert(reason);
    }

    /// Whether there is such a case, readable or not.
    pub(crate) fn has(&self, case: &str) -> bool {
        self.cases.contains_key(case) || self.failed.contains_key(case)
    }

    /// Names of all cases, readable or not.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.cases.keys().chain(self.failed.keys())
    }

    /// A line for each case that failed.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.failed.iter().map(|(case, reason)| format!("{case}: {reason}")).collect()
    }
}

/// The images of all cases. Each folder has one channel, or several: files of one name that end in `_0000`, `_0001` and so
/// on, or DICOM series whose names contain the words of `series`. `masks` has the names of the masks, without endings; what
/// is made goes to `to`, which may lie among the folders of patients.
///
/// # Errors
/// Returns an error for a folder that cannot be read, or has no images.
pub(crate) fn images(
    folders: &[PathBuf],
    series: &[String],
    masks: &BTreeSet<String>,
    to: &Path,
) -> Result<Found> {
    let mut all = Found::default();
    for (number, folder) in folders.iter().enumerate() {
        let found = of_folder(folder, series, masks, to)?;
        if number > 0 {
            all_there(&mut all, &found, folder, &folders[0]);
        }
        for (case, reason) in found.failed {
            all.fail(case, reason);
        }
        for (case, sources) in found.cases {
            if !all.failed.contains_key(&case) {
                all.add(case, Ok(sources));
            }
        }
    }
    Ok(all)
}

/// Each folder of channels has to have the same cases.
fn all_there(all: &mut Found, found: &Found, folder: &Path, first: &Path) {
    let lacking = |a: &Found, b: &Found| a.names().filter(|case| !b.has(case)).cloned().collect::<Vec<_>>();
    let faults = [(lacking(all, found), folder), (lacking(found, all), first)];
    for (cases, folder) in faults {
        cases.into_iter().for_each(|case| all.fail(case, format!("{} has no image of it", folder.display())));
    }
}

fn of_folder(folder: &Path, series: &[String], masks: &BTreeSet<String>, to: &Path) -> Result<Found> {
    let mut found = Found::default();
    let entries = entries(folder)?;
    if entries.iter().any(|path| path.is_file() && is_dicom(path)) {
        found.add(case_name(folder)?, of_patient(folder, series));
        return Ok(found);
    }
    let has_jpeg = entries.iter().any(|path| is_jpeg(path));
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for path in entries {
        let name = case_name(&path)?;
        if path.is_dir() {
            folders.push((name, path));
        } else if is_image(&name) {
            files.push((images::stem(&name).to_owned(), path));
        }
    }
    // Beside images, other folders may be anything.
    folders.retain(|(_, path)| has_dicom(path) || (files.is_empty() && !is_in(to, path)));
    let jpeg = if has_jpeg {
        ". JPEG is not read: convert the pictures to PNG, and masks from what they were before"
    } else {
        ""
    };
    ensure!(
        !files.is_empty() || folders.iter().any(|(_, path)| has_dicom(path)),
        "{} has no images, and no folders with DICOM series; known endings: .nii.gz, .nii, .mha, .nrrd, .tif, .png, .bmp{jpeg}",
        folder.display()
    );
    add_folders(&mut found, folders, series);
    add_files(&mut found, numbers::by_case(files, masks), folder);
    Ok(found)
}

/// Whether a path lies in a folder, or is it.
fn is_in(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(path).zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder))
}

fn is_jpeg(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ending == "jpg" || ending == "jpeg")
}

fn add_folders(found: &mut Found, folders: Vec<(String, PathBuf)>, series: &[String]) {
    let mut known: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (name, path) in folders {
        // Names are without blanks: `a 1` and `a_1` are one.
        if let Some(other) = known.insert(name.clone(), path.clone()) {
            found.fail(name, format!("{} and {} are the same case", other.display(), path.display()));
        } else {
            found.add(name, of_patient(&path, series));
        }
    }
}

fn add_files(found: &mut Found, (files, same): (Numbered, BTreeMap<String, String>), folder: &Path) {
    let incomplete = numbers::incomplete(&files);
    for (case, channels) in files {
        if found.has(&case) {
            found.fail(case, format!("{} has a folder and a file of this case", folder.display()));
        } else if let Some(lacking) = incomplete.get(&case) {
            found.fail(case, format!("{} lacks its channel {lacking}, which others have", folder.display()));
        } else {
            found.add(case, Ok(channels.into_values().map(Source::File).collect()));
        }
    }
    same.into_iter().for_each(|(case, reason)| found.fail(case, reason));
}

/// The series of a patient's folder.
fn of_patient(folder: &Path, series: &[String]) -> Result<Vec<Source>> {
    let series = chosen(folder, series)?;
    Ok(series.into_iter().map(|series| Source::Series(Box::new(series))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masks;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    fn found(folders: &[PathBuf]) -> Found {
        images(folders, &[], &BTreeSet::new(), Path::new("out")).unwrap()
    }

    #[test]
    fn masks_are_found_by_the_names_of_their_images() {
        let images_of = folder(&["a.png", "b c.png", "notes.txt", "d.nii.gz"]);
        let cases = found(&[images_of.path().to_owned()]);
        assert_eq!(cases.cases.keys().collect::<Vec<_>>(), ["a", "b_c", "d"]);
        let complete = folder(&["a_mask.png", "b c.png", "d.seg.nrrd"]);
        let masks_of = |folder: &tempfile::TempDir| masks::find(folder.path(), &cases).unwrap();
        assert_eq!((masks_of(&complete).files.len(), masks_of(&complete).faults.len()), (3, 0));
        let less = masks_of(&folder(&["a_mask.png", "x.png"])).faults.join("\n");
        assert!(less.contains("no masks of b_c, d; masks of no image: x.png"), "{less}");
        let twice = masks_of(&folder(&["a.png", "a_seg.png", "b c.png", "d.nii"]));
        assert!(twice.faults.join("\n").contains("of the same case"));
        assert!(!twice.files.contains_key("a"));
    }

    #[test]
    fn all_folders_of_channels_have_the_same_cases() {
        let (ct, pet) = (folder(&["a.nii.gz", "b.nii.gz"]), folder(&["a.nrrd", "c.nrrd"]));
        let folders = [ct.path().to_owned(), pet.path().to_owned()];
        let all = found(&folders);
        assert_eq!(all.cases.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(all.cases["a"].len(), 2);
        let lacks = |folder: &tempfile::TempDir| format!("{} has no image of it", folder.path().display());
        assert_eq!([&all.failed["b"], &all.failed["c"]], [&lacks(&pet), &lacks(&ct)]);
        let nothing =
            images(&[folder(&["x.txt"]).path().to_owned()], &[], &BTreeSet::new(), Path::new("out"))
                .unwrap_err();
        assert!(nothing.to_string().ends_with(".bmp"), "{nothing}");
        let jpeg = images(&[folder(&["x.JPG"]).path().to_owned()], &[], &BTreeSet::new(), Path::new("out"))
            .unwrap_err();
        assert!(jpeg.to_string().contains("JPEG is not read: convert the pictures to PNG"), "{jpeg}");
    }
}
