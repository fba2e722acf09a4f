//! The fingerprint of a cropped task, kept beside it as v1 does.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, s};
use nnunet_formats::{npy, npz};
use nnunet_plugin_core::vocabulary::{Fingerprint, IntensityProperties};
use nnunet_preprocessing::{CaseSummary, assemble, foreground_intensities};

use super::crop::left_to_crop;
use super::parallel::{CaseStep, Limits, for_each_case};
use super::part::Part;
use super::sizes::{f32_bytes, voxels};
use super::task_folders::TaskFolders;
use crate::dataset::Dataset;
use crate::{folders, images, records};

/// The fingerprint of the task.
const FILE: &str = "dataset_properties.pkl";
/// Folder of the intensities that parts have measured, until they are in the fingerprint.
const MEASURED: &str = "intensities";

/// Analyzes the cropped cases and writes `dataset_properties.pkl` (and `intensityproperties.pkl` for CT). Of processes
/// that share a task the first one does, and the others read its result.
///
/// # Errors
/// Returns one error that lists all cases that cannot be read.
pub fn analyze(dataset: &Dataset, task: &TaskFolders, limits: Limits, part: Part) -> Result<Fingerprint> {
    if !part.is_all() && is_current(task)? {
        return records::load(&task.preprocessed.join(FILE), records::fingerprint_from_pickle);
    }
    let is_ct = dataset.has_ct();
    let cases = folders::case_names(&task.cropped)?;
    let summaries = for_each_case(&Summarize { dataset, task, is_ct }, &cases, limits)?;
    let fingerprint = assemble(summaries, dataset.modalities.clone(), dataset.classes.clone());
    if let Some(channels) = &fingerprint.intensity_properties {
        check_contrast(channels, &dataset.modalities)?;
        records::save(
            &task.cropped.join("intensityproperties.pkl"),
            &records::intensities_to_pickle(channels),
        )?;
    }
    let value = records::fingerprint_to_pickle(&fingerprint);
    records::save_with_twin(&task.cropped.join(FILE), &value)?;
    folders::create(&task.preprocessed)?;
    records::save_with_twin(&task.preprocessed.join(FILE), &value)?;
    folders::copy_file(&dataset.folder.join("dataset.json"), &task.preprocessed.join("dataset.json"))?;
    remove_measured(&task.cropped.join(MEASURED))?;
    Ok(fingerprint)
}

/// Measures what the fingerprint needs of the arrays of a part's cases, so that [`analyze`] need not read them all.
///
/// # Errors
/// Returns one error that lists all cases that cannot be read.
pub fn measure(dataset: &Dataset, task: &TaskFolders, limits: Limits, part: Part) -> Result<()> {
    if part.is_all() || !dataset.has_ct() || (left_to_crop(dataset, task) == 0 && is_current(task)?) {
        return Ok(());
    }
    folders::create(&task.cropped.join(MEASURED))?;
    for_each_case(&Measure { dataset, task }, &part.of(&dataset.training), limits).map(drop)
}

/// Whether the fingerprint is newer than every cropped case.
fn is_current(task: &TaskFolders) -> Result<bool> {
    let Some(made) = modified(&task.preprocessed.join(FILE)) else { return Ok(false) };
    let cases = folders::file_names(&task.cropped, ".npz")?;
    Ok(cases.iter().all(|name| modified(&task.cropped.join(name)).is_some_and(|cropped| cropped < made)))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

fn remove_measured(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if folder.is_dir() => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Measures a cropped case.
struct Measure<'a> {
    dataset: &'a Dataset,
    task: &'a TaskFolders,
}

impl CaseStep for Measure<'_> {
    type Output = ();

    fn name(&self) -> String {
        "measuring".to_owned()
    }

    fn memory(&self, case: &str) -> u64 {
        memory_of(self.dataset, case)
    }

    fn run(&self, case: &str) -> Result<()> {
        if measured(self.task, case).is_some() {
            return Ok(());
        }
        let found = intensities(self.task, case)?;
        let (channels, count) = (found.len(), found.first().map_or(0, Vec::len));
        let array = Array4::from_shape_vec((channels, 1, 1, count), found.concat())?;
        Ok(npy::save(&measured_file(self.task, case), array.view())?)
    }
}

fn measured_file(task: &TaskFolders, case: &str) -> PathBuf {
    task.cropped.join(MEASURED).join(format!("{case}.npy"))
}

/// What a part has measured since the case was cropped.
fn measured(task: &TaskFolders, case: &str) -> Option<Vec<Vec<f32>>> {
    let file = measured_file(task, case);
    let is_newer = modified(&file)? > modified(&task.cropped.join(format!("{case}.npz")))?;
    let array = is_newer.then(|| npy::load_f32(&file).ok()).flatten()?;
    Some(array.outer_iter().map(|channel| channel.iter().copied().collect()).collect())
}

/// The intensities of the foreground of a cropped case.
fn intensities(task: &TaskFolders, case: &str) -> Result<Vec<Vec<f32>>> {
    let array = npz::load_f32(&task.cropped.join(format!("{case}.npz")), "data")?;
    let channels = array.dim().0 - 1;
    let (image, label) = (array.slice(s![..channels, .., .., ..]), array.slice(s![channels, .., .., ..]));
    Ok(foreground_intensities(image, label))
}

/// CT is normalized by the intensities of the foreground of all cases.
///
/// # Errors
/// Returns an error if there is no foreground, or all of it has one intensity.
fn check_contrast(channels: &[IntensityProperties], modalities: &[String]) -> Result<()> {
    for (channel, name) in channels.iter().zip(modalities).filter(|(_, name)| name.eq_ignore_ascii_case("ct"))
    {
        let sd = channel.global.sd;
        ensure!(
            !sd.is_nan(),
            "no case has foreground with finite intensities, which {name} images are normalized by; check the label maps"
        );
        ensure!(
            sd > 0.0,
            "the foreground of all {name} images has the same intensity, {}: there is no contrast to normalize",
            channel.global.mean
        );
    }
    Ok(())
}

/// Collects what the fingerprint needs of a cropped case.
struct Summarize<'a> {
    dataset: &'a Dataset,
    task: &'a TaskFolders,
    is_ct: bool,
}

impl CaseStep for Summarize<'_> {
    type Output = CaseSummary;

    fn name(&self) -> String {
        "analyzing".to_owned()
    }

    fn memory(&self, case: &str) -> u64 {
        if self.is_ct { memory_of(self.dataset, case) } else { 0 }
    }

    fn run(&self, case: &str) -> Result<CaseSummary> {
        summarize(self.task, case, self.is_ct)
    }
}

/// The cropped case, as bytes and as numbers; it is no larger than the raw one.
fn memory_of(dataset: &Dataset, case: &str) -> u64 {
    let size = images::read_geometry(&dataset.label(case)).map_or(0, |geometry| voxels(geometry.size));
    f32_bytes(size) * 2 * (dataset.modalities.len() as u64 + 1)
}

fn summarize(task: &TaskFolders, case: &str, is_ct: bool) -> Result<CaseSummary> {
    let properties = records::load(&task.cropped.join(format!("{case}.pkl")), records::case_from_pickle)?;
    let size = properties.size_after_cropping;
    let voxels = |size: [usize; 3]| size.iter().map(|len| *len as f64).product::<f64>();
    let found = || measured(task, case).map_or_else(|| intensities(task, case), Ok);
    let intensities = is_ct.then(found).transpose()?;
    Ok(CaseSummary {
        name: case.to_owned(),
        size,
        spacing: properties.original_spacing,
        size_reduction: voxels(size) / voxels(properties.original_size_of_raw_data),
        intensities,
    })
}
