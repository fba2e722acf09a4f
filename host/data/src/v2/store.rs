//! The files of preprocessed cases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array3, Array4, ArrayView3, ArrayView4, Axis};
use nnunet_formats::b2nd::{self, Element};
use nnunet_formats::{npy, npz};

use super::blocks::blocks_and_chunks;
use crate::pipeline::cache_key::remove;

/// How the arrays of cases are stored. Python takes the format of a folder from the endings of its files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    /// `CASE.b2nd` and `CASE_seg.b2nd`: compressed, and read by crop. v2's own since 2.6.
    #[default]
    B2nd,
    /// `CASE.npz`, which all versions of v2 read.
    Npz,
    /// `CASE.npz`, and `CASE.npy` and `CASE_seg.npy`, to which v2 unpacks it for training.
    Npy,
}

/// Endings of the arrays of a case in any store; `_seg.b2nd` before `.b2nd`.
const ENDINGS: [&str; 5] = ["_seg.b2nd", "_seg.npy", ".b2nd", ".npy", ".npz"];
/// Ending of a case's properties.
const PROPERTIES: &str = ".pkl";

impl Store {
    /// All stores with their names.
    pub const ALL: [(&'static str, Self); 3] = [("b2nd", Self::B2nd), ("npz", Self::Npz), ("npy", Self::Npy)];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, store)| *store == self).map_or("", |(name, _)| name)
    }

    /// Endings of the files with a case's arrays.
    pub(super) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::B2nd => &[".b2nd", "_seg.b2nd"],
            Self::Npz => &[".npz"],
            Self::Npy => &[".npz", ".npy", "_seg.npy"],
        }
    }

    /// Checks that the store can hold cases of these names.
    pub(super) fn check_names(self, cases: &[String]) -> Result<()> {
        let taken = cases.iter().find(|case| self != Self::Npz && case.ends_with("_seg"));
        match taken {
            Some(case) => bail!(
                "{case}.{} would be taken for a label map; rename the case, or store the cases as npz (--store npz)",
                self.name()
            ),
            None => Ok(()),
        }
    }

    /// Writes an image (c, z, y, x) in single precision and its label map (z, y, x) in 16-bit integers, of which patches
    /// of a size are read; then removes what another store has of the case.
    pub(super) fn save(
        self,
        base: &str,
        image: ArrayView4<'_, f32>,
        label: ArrayView3<'_, f32>,
        patch: &[usize],
    ) -> Result<()> {
        let path = |ending: &str| PathBuf::from(format!("{base}{ending}"));
        if self == Self::B2nd {
            save_blocks(&path(".b2nd"), image, Element::F32, patch)?;
            save_blocks(&path("_seg.b2nd"), label.insert_axis(Axis(0)), Element::I16, patch)?;
        } else {
            npz::save_case_v2(&path(".npz"), image, label)?;
        }
        if self == Self::Npy {
            npy::save(&path(".npy"), image)?;
            npy::save_i16(&path("_seg.npy"), label.insert_axis(Axis(0)))?;
        }
        let others = ENDINGS.iter().filter(|ending| !self.endings().contains(ending));
        others.into_iter().try_for_each(|ending| remove(&path(ending)))
    }
}

fn save_blocks(path: &Path, array: ArrayView4<'_, f32>, element: Element, patch: &[usize]) -> Result<()> {
    let (c, z, y, x) = array.dim();
    let (block, chunk) = blocks_and_chunks([c, z, y, x], patch, element.size());
    Ok(b2nd::save(path, array, element, chunk, block)?)
}

/// Reads the arrays of a preprocessed case, whichever program made it: the image (c, z, y, x), and the label map
/// (z, y, x). Of an npz that was unpacked the npy are read, as v2 does.
///
/// # Errors
/// Returns an error if the case is not there or damaged, or its label map has another size than the image.
pub fn load_case(folder: &Path, case: &str) -> Result<(Array4<f32>, Array3<f32>)> {
    let path = |ending: &str| folder.join(format!("{case}{ending}"));
    if path(".b2nd").is_file() {
        return together(&path(".b2nd"), b2nd::load(&path(".b2nd"))?, b2nd::load(&path("_seg.b2nd"))?);
    }
    if path(".npy").is_file() && path("_seg.npy").is_file() {
        return together(&path(".npy"), npy::load_f32(&path(".npy"))?, npy::load_f32(&path("_seg.npy"))?);
    }
    ensure!(path(".npz").is_file(), "{} has no case {case} (.b2nd, .npy or .npz)", folder.display());
    Ok(npz::load_case_v2(&path(".npz"))?)
}

/// Unpacks a case that is stored as npz to npy beside it, which are read by crop, unless that has been done.
///
/// # Errors
/// Returns an error if the case is not there or damaged, or its files cannot be written.
pub fn unpack_case(folder: &Path, case: &str) -> Result<()> {
    let path = |ending: &str| folder.join(format!("{case}{ending}"));
    if path(".npy").is_file() && path("_seg.npy").is_file() {
        return Ok(());
    }
    let (image, label) = load_case(folder, case)?;
    npy::save(&path(".npy"), image.view())?;
    Ok(npy::save_i16(&path("_seg.npy"), label.view().insert_axis(Axis(0)))?)
}

/// Size of a preprocessed case, (z, y, x); none if it is not there.
///
/// # Errors
/// Returns an error if the case is damaged.
pub fn stored_shape(folder: &Path, case: &str) -> Result<Option<[usize; 3]>> {
    let path = |ending: &str| folder.join(format!("{case}{ending}"));
    if path(".b2nd").is_file() {
        let [_, z, y, x] = b2nd::CompressedArray::open(&path(".b2nd"))?.shape();
        return Ok(Some([z, y, x]));
    }
    if !path(".npz").is_file() {
        return Ok(None);
    }
    let (_, z, y, x) = load_case(folder, case)?.0.dim();
    Ok(Some([z, y, x]))
}

/// Writes the labels that a stage of a cascade has found in a case, for the next stage whose cases are in `data`; stored as
/// those are, of which patches of a size are read.
///
/// # Errors
/// Returns an error if the file cannot be written.
pub fn save_labels(
    folder: &Path,
    case: &str,
    labels: ArrayView3<'_, u16>,
    (patch, data): (&[usize], &Path),
) -> Result<()> {
    let values = labels.mapv(f32::from);
    if !data.join(format!("{case}.b2nd")).is_file() {
        ensure!(
            labels.iter().all(|label| *label < 256),
            "labels of a previous stage are stored as bytes beside npz: store the cases as b2nd (--store b2nd)"
        );
        let bytes = labels.mapv(|label| label as u8);
        remove(&folder.join(format!("{case}.npy")))?;
        return Ok(npz::save_u8(&folder.join(format!("{case}.npz")), "seg", bytes.view())?);
    }
    let element = if labels.iter().all(|label| *label <= 255) { Element::U8 } else { Element::U16 };
    let (z, y, x) = labels.dim();
    let ([_, block @ ..], [_, chunk @ ..]) = blocks_and_chunks([1, z, y, x], patch, element.size());
    Ok(b2nd::save_volume(&folder.join(format!("{case}.b2nd")), values.view(), element, [chunk, block])?)
}

/// The labels of [`save_labels`], or those that Python has written.
///
/// # Errors
/// Returns an error if they are not there or damaged.
pub fn load_labels(folder: &Path, case: &str) -> Result<Array3<f32>> {
    let blocks = folder.join(format!("{case}.b2nd"));
    if blocks.is_file() {
        return Ok(b2nd::load(&blocks)?.index_axis_move(Axis(0), 0));
    }
    let archive = folder.join(format!("{case}.npz"));
    ensure!(
        archive.is_file(),
        "{} has no labels of the previous stage for {case}; train all folds of that stage first, with validation",
        folder.display()
    );
    let member = npz::load(&archive, "seg")?;
    let shape: Option<[usize; 3]> = member.header.shape.as_slice().try_into().ok();
    let found =
        shape.zip(member.to_f32()).and_then(|(shape, values)| Array3::from_shape_vec(shape, values).ok());
    found.with_context(|| {
        format!("{}: not an array of labels; remove the file, it is made again", archive.display())
    })
}

fn together(path: &Path, image: Array4<f32>, label: Array4<f32>) -> Result<(Array4<f32>, Array3<f32>)> {
    let (_, z, y, x) = image.dim();
    ensure!(label.dim() == (1, z, y, x), "{}: its label map has another size", path.display());
    Ok((image, label.index_axis_move(Axis(0), 0)))
}

/// Names of the preprocessed cases of a folder, sorted.
///
/// # Errors
/// Returns an error if the folder cannot be read, or has cases of several stores: v2 trains on neither then.
pub fn stored_cases(folder: &Path) -> Result<Vec<String>> {
    let (mut blocks, mut archives) = (BTreeSet::new(), BTreeSet::new());
    for name in names(folder)? {
        match case_of(&name) {
            Some((case, ".b2nd")) => drop(blocks.insert(case.to_owned())),
            Some((case, ".npz")) => drop(archives.insert(case.to_owned())),
            _ => {}
        }
    }
    if !blocks.is_empty() && !archives.is_empty() {
        bail!(
            "{} has cases as .b2nd and as .npz; preprocess it again, or remove one of them",
            folder.display()
        );
    }
    Ok(blocks.into_iter().chain(archives).collect())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let files = entries.flatten().filter(|entry| entry.path().is_file());
    Ok(files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The case and the ending of a file.
fn case_of(name: &str) -> Option<(&str, &'static str)> {
    let endings = ENDINGS.iter().chain([&PROPERTIES]);
    endings.copied().find_map(|ending| Some((name.strip_suffix(ending)?, ending)))
}

/// Removes the files of other cases from a folder: Python would train on them, and its own preprocessing removes the
/// whole folder. Other files are left and named.
pub(super) fn remove_other_cases(folder: &Path, cases: &[String]) -> Result<()> {
    let cases: BTreeSet<&str> = cases.iter().map(String::as_str).collect();
    let (mut removed, mut unknown) = (BTreeSet::new(), Vec::new());
    for name in names(folder)? {
        match case_of(&name) {
            Some((case, _)) if cases.contains(case) => {}
            Some((case, _)) => {
                remove(&folder.join(&name))?;
                removed.insert(case.to_owned());
            }
            None => unknown.push(name),
        }
    }
    if !removed.is_empty() {
        tracing::warn!(
            "{}: removed the cases {removed:?}, which the raw data set does not have",
            folder.display()
        );
    }
    if !unknown.is_empty() {
        tracing::warn!(
            "{}: nnunetv2 does not train on a folder with the files {unknown:?}; move them away",
            folder.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> (Array4<f32>, Array3<f32>) {
        let image = Array4::from_shape_fn((2, 4, 5, 6), |(c, z, y, x)| (c * 100 + z * y + x) as f32 / 3.0);
        (image, Array3::from_shape_fn((4, 5, 6), |(z, y, x)| ((z + y * x) % 4) as f32 - 1.0))
    }

    #[test]
    fn every_store_gives_the_same_arrays_and_replaces_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("a").display().to_string();
        let (image, label) = case();
        for (name, store) in Store::ALL {
            store.save(&base, image.view(), label.view(), &[2, 4, 4]).unwrap();
            assert_eq!(load_case(folder.path(), "a").unwrap(), case(), "{name}");
            assert_eq!(names(folder.path()).unwrap().len(), store.endings().len(), "{name}");
            assert_eq!(stored_cases(folder.path()).unwrap(), ["a"], "{name}");
        }
    }

    #[test]
    fn names_that_mean_label_maps_are_refused() {
        let cases = ["a".to_owned(), "b_seg".to_owned()];
        assert!(Store::B2nd.check_names(&cases).unwrap_err().to_string().contains("b_seg"));
        assert!(Store::Npz.check_names(&cases).is_ok() && Store::Npy.check_names(&cases[..1]).is_ok());
    }

    #[test]
    fn only_cases_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a.b2nd", "a_seg.b2nd", "a.pkl", "b.b2nd", "b_seg.b2nd", "b.pkl", "notes.txt"] {
            std::fs::write(path(name), "").unwrap();
        }
        remove_other_cases(folder.path(), &["a".to_owned()]).unwrap();
        assert!(path("a_seg.b2nd").exists() && path("a.pkl").exists() && path("notes.txt").exists());
        assert!(!path("b.b2nd").exists() && !path("b_seg.b2nd").exists() && !path("b.pkl").exists());
    }

    #[test]
    fn a_folder_has_one_store() {
        let folder = tempfile::tempdir().unwrap();
        let (image, label) = case();
        for (name, store) in [("a", Store::B2nd), ("b", Store::Npz)] {
            let base = folder.path().join(name).display().to_string();
            store.save(&base, image.view(), label.view(), &[4, 4]).unwrap();
        }
        assert!(stored_cases(folder.path()).unwrap_err().to_string().contains("as .b2nd and as .npz"));
        assert!(load_case(folder.path(), "c").unwrap_err().to_string().contains("no case c"));
    }
}
