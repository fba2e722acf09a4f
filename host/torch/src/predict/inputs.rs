//! The images of a folder, by case.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::folders::{file_names, keep_inputs, without_ending};
use nnunet_data::images;
use nnunet_formats::case_and_channel;

use crate::case::{Case, FileNaming};

/// The cases of a folder, or of one image, and the label maps to write for them. A model of one channel also takes
/// images without a channel number.
pub(super) fn cases(input: &Path, naming: &FileNaming, output: &Path) -> Result<Vec<Case>> {
    let FileNaming { files_per_case, input_ending, output_ending } = naming;
    let ending = input_ending.as_deref().unwrap_or_else(|| ending_in(input));
    let case = |(name, images): (String, Vec<PathBuf>)| Case {
        output: output.join(format!("{name}{output_ending}")),
        name,
        images,
    };
    let cases: Vec<Case> = by_case(input, *files_per_case, ending)?.into_iter().map(case).collect();
    let outputs: Vec<PathBuf> = cases.iter().map(|case| case.output.clone()).collect();
    let images: Vec<PathBuf> = cases.iter().flat_map(|case| case.images.clone()).collect();
    keep_inputs(&outputs, &images)?;
    Ok(cases)
}

/// The ending of the images in a folder, or of the image itself.
fn ending_in(input: &Path) -> &'static str {
    let name = input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let own = images::ending(&name).filter(|_| input.is_file());
    own.unwrap_or_else(|| images::ending_in(input))
}

fn by_case(input: &Path, channels: usize, ending: &str) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    if input.is_file() {
        return one_image(input, channels, ending);
    }
    ensure!(input.is_dir(), "there is no folder {}", input.display());
    let names = file_names(input, ending)?;
    ensure!(!names.is_empty(), "there are no {ending} files in {}", input.display());
    // Endings may be in capitals.
    let names: BTreeMap<String, String> = names
        .into_iter()
        .filter_map(|name| Some((format!("{}{ending}", without_ending(&name, ending)?), name)))
        .collect();
    let mut cases = BTreeMap::new();
    let (mut missing, mut further) = (Vec::new(), Vec::new());
    let path = |name: &String| input.join(names.get(name).unwrap_or(name));
    for name in names.keys() {
        let stem = name.strip_suffix(ending).unwrap_or(name);
        let Some((case, channel)) = case_and_channel(stem) else {
            // Beside the case's image with a channel number it is a label map that was predicted there.
            if channels == 1 && !names.contains_key(&format!("{stem}_0000{ending}")) {
                cases.insert(stem.to_owned(), vec![path(name)]);
            }
            continue;
        };
        if channel >= channels {
            further.push(name.as_str());
        }
        let files: Vec<String> =
            (0..channels).map(|channel| format!("{case}_{channel:04}{ending}")).collect();
        missing.extend(files.iter().filter(|file| !names.contains_key(*file)).cloned());
        cases.insert(case.to_owned(), files.iter().map(path).collect());
    }
    missing.sort();
    missing.dedup();
    ensure!(missing.is_empty(), "{} lacks {}", input.display(), missing.join(", "));
    ensure!(
        further.is_empty(),
        "{} has images of more channels than the model, which takes {channels}: {}; take them out, or choose the model of \
         these channels",
        input.display(),
        further.join(", ")
    );
    ensure!(!cases.is_empty(), "{} has no image whose name ends in _0000{ending}", input.display());
    Ok(cases)
}

fn one_image(input: &Path, channels: usize, ending: &str) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let name = input.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = without_ending(&name, ending)
        .with_context(|| format!("{} does not end in {ending}", input.display()))?;
    let case = case_and_channel(stem).map_or(stem, |(case, _)| case);
    if channels == 1 {
        return Ok(BTreeMap::from([(case.to_owned(), vec![input.to_owned()])]));
    }
    let file = |channel: usize| input.with_file_name(format!("{case}_{channel:04}{ending}"));
    let files: Vec<PathBuf> = (0..channels).map(file).collect();
    let missing = files.iter().find(|file| !file.is_file());
    ensure!(missing.is_none(), "the model needs {channels} channels; {missing:?} is missing");
    Ok(BTreeMap::from([(case.to_owned(), files)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str], channels: usize, elsewhere: bool) -> Result<Vec<String>> {
        let (folder, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        files.iter().try_for_each(|name| std::fs::write(folder.path().join(name), ""))?;
        let naming = FileNaming {
            files_per_case: channels,
            input_ending: Some(".nii.gz".to_owned()),
            output_ending: ".nii.gz".to_owned(),
        };
        let output = if elsewhere { other.path() } else { folder.path() };
        Ok(cases(folder.path(), &naming, output)?.into_iter().map(|case| case.name).collect())
    }

    #[test]
    fn images_of_further_channels_are_an_error() {
        let files = ["a_0000.nii.gz", "a_0001.nii.gz"];
        assert_eq!(found(&files, 2, true).unwrap(), ["a"]);
        let error = found(&files, 1, true).unwrap_err().to_string();
        assert!(error.contains("takes 1: a_0001.nii.gz"), "{error}");
    }

    #[test]
    fn a_label_map_never_replaces_an_image() {
        assert_eq!(found(&["scan.nii.gz"], 1, true).unwrap(), ["scan"]);
        assert!(found(&["scan.nii.gz"], 1, false).unwrap_err().to_string().contains("would be overwritten"));
        assert_eq!(found(&["scan_0000.nii.gz"], 1, false).unwrap(), ["scan"]);
    }
}
