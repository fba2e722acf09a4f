//! A raw data set of images and masks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::{failures, folders};
use nnunet_formats::json::{self, Json};
use nnunet_formats::{atomic, nifti};

use crate::cases::{self, Images, Source};
use crate::image::{self, Form};
use crate::labels::{Label, Labels, Named, Value};
use crate::layout::Name;
use crate::mask;

/// What a data set is made of.
#[derive(Debug)]
pub struct Request {
    /// Folders of the training images, one for each channel or for several.
    pub images: Vec<PathBuf>,
    /// Folder of the masks.
    pub masks: PathBuf,
    /// Folders of test images, as `images`; none without test images.
    pub tests: Vec<PathBuf>,
    /// Words in the names of DICOM series, one for each channel.
    pub series: Vec<String>,
    /// Names of the channels; from DICOM, or their numbers, if there are none.
    pub channels: Vec<String>,
    /// Names of values of the masks.
    pub labels: Vec<Named>,
    /// Name of the data set.
    pub name: Name,
    /// The folder to make.
    pub to: PathBuf,
}

/// What was made.
#[derive(Debug)]
pub struct Outcome {
    /// Training cases.
    pub cases: usize,
    /// Test cases.
    pub tests: usize,
    /// Names of the channels.
    pub channels: Vec<String>,
    /// Labels, background first.
    pub labels: Vec<Label>,
}

/// Makes a data set. Nothing is left behind if that fails.
///
/// # Errors
/// Returns an error if the folder exists already, if images and masks do not belong together, or one error that lists all
/// cases that cannot be read.
pub fn ingest(request: &Request) -> Result<Outcome> {
    ensure!(
        !request.to.exists(),
        "{} exists already; choose another name, or remove it",
        request.to.display()
    );
    let training = cases::images(&request.images, &request.series)?;
    let masks = cases::masks(&request.masks, &training)?;
    let tests = if request.tests.is_empty() {
        Images::new()
    } else {
        cases::images(&request.tests, &request.series)?
    };
    let labels = Labels::new(&values(&masks)?, &request.labels)?;
    let form = form(training.values().chain(tests.values()))?;
    let parent = request.to.parent().unwrap_or(Path::new("."));
    folders::create(parent)?;
    let mut channels = Vec::new();
    atomic::folder(&request.to, |folder| -> Result<()> {
        let count = write_all(&training, form, &folder.join("imagesTr"))?;
        write_masks(&masks, &labels, folder)?;
        if !tests.is_empty() {
            let of_tests = write_all(&tests, form, &folder.join("imagesTs"))?;
            ensure!(of_tests == count, "test images have {of_tests} channels, and training images {count}");
        }
        channels = names(request, &training, count)?;
        let all = |images: &Images| images.keys().cloned().collect::<Vec<_>>();
        let description = request.name.description(&channels, &labels.all, &all(&training), &all(&tests));
        Ok(json::save_in_order(&folder.join("dataset.json"), &Json::from(description))?)
    })?;
    Ok(Outcome { cases: training.len(), tests: tests.len(), channels, labels: labels.all })
}

/// Writes images as `CASE_0000.nii.gz` and so on, as `predict` reads them; returns how many cases there are.
///
/// # Errors
/// As [`ingest`].
pub fn convert(images: &[PathBuf], series: &[String], to: &Path) -> Result<usize> {
    let found = cases::images(images, series)?;
    write_all(&found, form(found.values())?, to)?;
    Ok(found.len())
}

/// Values of all masks, and in how many masks each occurs.
fn values(masks: &BTreeMap<String, PathBuf>) -> Result<BTreeMap<Value, usize>> {
    let files: Vec<&PathBuf> = masks.values().collect();
    let found: Vec<BTreeSet<Value>> =
        failures::each("masks cannot be read", &files, |file| mask::values(file))?;
    let mut counts = BTreeMap::new();
    for value in found.into_iter().flatten() {
        *counts.entry(value).or_default() += 1;
    }
    Ok(counts)
}

fn form<'a>(cases: impl Iterator<Item = &'a Vec<Source>>) -> Result<Form> {
    let sources: Vec<&Source> = cases.flatten().collect();
    let colors = failures::each("images cannot be read", &sources, |source| image::has_colors(source))?;
    Ok(Form { has_colors: colors.contains(&true) })
}

/// Writes all channels of all cases; returns how many channels each case has.
fn write_all(images: &Images, form: Form, folder: &Path) -> Result<usize> {
    folders::create(folder)?;
    let cases: Vec<(&String, &Vec<Source>)> = images.iter().collect();
    let counts = failures::each("cases cannot be read", &cases, |(name, sources)| {
        write_case(name, sources, form, folder).with_context(|| (*name).clone())
    })?;
    let first = counts.first().copied().unwrap_or(0);
    if let Some((other, count)) = cases.iter().zip(&counts).find(|(_, count)| **count != first) {
        bail!("{} has {first} channels, and {} has {count}", cases[0].0, other.0);
    }
    Ok(first)
}

fn write_case(name: &str, sources: &[Source], form: Form, folder: &Path) -> Result<usize> {
    let mut count = 0;
    for source in sources {
        let place = |channel: usize| folder.join(format!("{name}_{:04}.nii.gz", count + channel));
        let written = image::write(source, form, place)?;
        count += written;
    }
    Ok(count)
}

fn write_masks(masks: &BTreeMap<String, PathBuf>, labels: &Labels, folder: &Path) -> Result<()> {
    folders::create(&folder.join("labelsTr"))?;
    let masks: Vec<(&String, &PathBuf)> = masks.iter().collect();
    let write = |(name, mask): &(&String, &PathBuf)| {
        let image = nifti::read_geometry(&folder.join("imagesTr").join(format!("{name}_0000.nii.gz")))?;
        mask::write(mask, labels, &image, &folder.join("labelsTr").join(format!("{name}.nii.gz")))
    };
    failures::each("masks do not fit their images", &masks, write).map(drop)
}

/// Names of the channels: the user's, those of DICOM, those of colors, or numbers.
fn names(request: &Request, training: &Images, count: usize) -> Result<Vec<String>> {
    if !request.channels.is_empty() {
        let given = request.channels.len();
        ensure!(given == count, "--channels has {given} names, and the images have {count} channels");
        return Ok(request.channels.clone());
    }
    let sources: Vec<&Source> = training.values().next().into_iter().flatten().collect();
    let modality = |source: &&Source| match source {
        Source::Series(series) => Some(series.modality.clone()).filter(|modality| !modality.is_empty()),
        Source::File(_) => None,
    };
    if sources.len() == count && sources.iter().all(|source| modality(source).is_some()) {
        return Ok(sources.iter().filter_map(modality).collect());
    }
    if sources.len() == 1 && count == 3 {
        return Ok(["red", "green", "blue"].map(str::to_owned).to_vec());
    }
    Ok(if count == 1 {
        vec!["image".to_owned()]
    } else {
        (0..count).map(|n| format!("channel {n}")).collect()
    })
}
