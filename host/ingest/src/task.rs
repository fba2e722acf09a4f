//! A raw data set of images and masks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_data::{failures, folders};
use nnunet_formats::json::{self, Json};
use nnunet_formats::{atomic, nifti};
use rayon::prelude::*;

use crate::cases::{self, Found, Images, Source};
use crate::entries::listed;
use crate::faults::Faults;
use crate::image::{self, Form};
use crate::labels::{Label, Labels, Named, Value};
use crate::layout::Name;
use crate::mask::Content;
use crate::{mask, masks, numbers};

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
/// Returns an error if the folder exists already, or one error that lists all cases that cannot be read, and all images and
/// masks that do not belong together.
pub fn ingest(request: &Request) -> Result<Outcome> {
    ensure!(
        !request.to.exists(),
        "{} exists already; choose another name, or remove it",
        request.to.display()
    );
    let with_masks = numbers::masked(&request.masks)?;
    let training = cases::images(&request.images, &request.series, &with_masks, &request.to)?;
    let tests = if request.tests.is_empty() {
        Found::default()
    } else {
        cases::images(&request.tests, &request.series, &BTreeSet::new(), &request.to)?
    };
    let masks = masks::find(&request.masks, &training)?;
    let mut faults = Faults::of([&training, &tests]);
    faults.all.extend(masks.faults);
    let values = values(&masks.files, &training.cases, &mut faults);
    let form = faults.form(training.cases.iter().chain(&tests.cases));
    let labels = Labels::new(&values, &request.labels);
    // Of faulty masks alone it would be said that they have nothing but background.
    if let Err(error) = &labels
        && !values.is_empty()
    {
        faults.all.push(format!("{error:#}"));
    }
    faults.none(training.cases.iter().chain(&tests.cases))?;
    let (training, tests, masks) = (&training.cases, &tests.cases, &masks.files);
    write_task(request, &Task { training, tests, masks, labels: labels?, form })
}

/// What has no faults.
struct Task<'a> {
    training: &'a Images,
    tests: &'a Images,
    masks: &'a BTreeMap<String, PathBuf>,
    labels: Labels,
    form: Form,
}

fn write_task(request: &Request, task: &Task<'_>) -> Result<Outcome> {
    let Task { training, tests, masks, labels, form } = task;
    folders::create(request.to.parent().unwrap_or(Path::new(".")))?;
    let mut channels = Vec::new();
    atomic::folder(&request.to, |folder| -> Result<()> {
        let count = write_all(training, *form, &folder.join("imagesTr"))?;
        write_masks(masks, labels, folder)?;
        if !tests.is_empty() {
            let of_tests = write_all(tests, *form, &folder.join("imagesTs"))?;
            ensure!(of_tests == count, "test images have {of_tests} channels, and training images {count}");
        }
        channels = names(request, training, count)?;
        let all = |images: &Images| images.keys().cloned().collect::<Vec<_>>();
        let description = request.name.description(&channels, &labels.all, &all(training), &all(tests));
        Ok(json::save_in_order(&folder.join("dataset.json"), &Json::from(description))?)
    })?;
    Ok(Outcome { cases: training.len(), tests: tests.len(), channels, labels: labels.all.clone() })
}

/// Images that were written.
#[derive(Debug, Clone, Copy)]
pub struct Converted {
    /// Cases.
    pub cases: usize,
    /// Channels of each.
    pub channels: usize,
}

/// Writes images as `CASE_0000.nii.gz` and so on, as `predict` reads them: all of them, or none.
///
/// # Errors
/// As [`ingest`]; if an image of the same name is there already.
pub fn convert(images: &[PathBuf], series: &[String], to: &Path) -> Result<Converted> {
    let found = cases::images(images, series, &BTreeSet::new(), to)?;
    let mut faults = Faults::of([&found]);
    let form = faults.form(found.cases.iter());
    faults.none(found.cases.iter())?;
    let is_new = !to.exists();
    folders::create(to)?;
    let written = write_new(&found.cases, form, to);
    if written.is_err() && is_new {
        // It is empty, unless another process has written to it.
        let _ = std::fs::remove_dir(to);
    }
    Ok(Converted { cases: found.cases.len(), channels: written? })
}

/// Writes images beside others, without replacing any.
fn write_new(images: &Images, form: Form, to: &Path) -> Result<usize> {
    let folder = atomic::temporary_folder(to).with_context(|| to.display().to_string())?;
    let channels = write_all(images, form, folder.path())?;
    let names = folders::file_names(folder.path(), "")?;
    let there: Vec<String> = names.iter().filter(|name| to.join(name).exists()).cloned().collect();
    ensure!(
        there.is_empty(),
        "{} has {} already; choose another folder, or remove them",
        to.display(),
        listed(&there)
    );
    for name in names {
        std::fs::rename(folder.path().join(&name), to.join(&name)).with_context(|| name)?;
    }
    atomic::flush(to, to)?;
    Ok(channels)
}

/// DICOM series that were written, and those that cannot be read.
#[derive(Debug)]
pub struct Readable {
    /// Cases that were written.
    pub cases: usize,
    /// Reasons by case.
    pub failed: BTreeMap<String, String>,
}

/// Writes the DICOM series of a folder as [`convert`] does, and leaves out those that cannot be read.
///
/// # Errors
/// Returns an error if none of them can be read, or an I/O error.
pub fn convert_readable(images: &Path, to: &Path) -> Result<Readable> {
    let mut found = cases::images(&[images.to_owned()], &[], &BTreeSet::new(), to)?;
    let form = Form { has_colors: false };
    folders::create(to)?;
    let cases: Vec<(&String, &Vec<Source>)> = found.cases.iter().collect();
    let write = |(name, sources): &(&String, &Vec<Source>)| {
        let written = failures::catching(|| write_case(name, sources, form, to).map(drop));
        written.err().map(|error| ((*name).clone(), format!("{error:#}")))
    };
    let failed: Vec<Option<(String, String)>> = cases.par_iter().map(write).collect();
    failed.into_iter().flatten().for_each(|(case, reason)| found.fail(case, reason));
    let faults: Vec<String> = found.faults().iter().map(|fault| format!("  {fault}")).collect();
    if found.cases.is_empty() {
        failures::none("cases cannot be read", faults.len(), &faults)?;
    }
    Ok(Readable { cases: found.cases.len(), failed: found.failed })
}

/// Values of all masks, and in how many masks each occurs.
fn values(masks: &BTreeMap<String, PathBuf>, images: &Images, faults: &mut Faults) -> BTreeMap<Value, usize> {
    let masks: Vec<(&String, &PathBuf)> = masks.iter().collect();
    let one = |(case, file): &(&String, &PathBuf)| {
        // What is wrong with an image is a fault of its own.
        let image = images.get(*case).and_then(|sources| image::geometry(sources.first()?).ok());
        failures::catching(|| mask::content(file, image.as_ref()))
    };
    let found: Vec<Result<Content>> = masks.par_iter().map(one).collect();
    let mut counts = BTreeMap::new();
    for found in found {
        let Some(content) = faults.without(found) else { continue };
        content.values.into_iter().for_each(|value| *counts.entry(value).or_default() += 1);
        faults.minor.extend(content.shift);
    }
    counts
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
