//! The fingerprint of a cropped task, kept beside it as v1 does.

use anyhow::{Result, ensure};
use ndarray::s;
use nnunet_formats::npz;
use nnunet_plugin_core::vocabulary::{Fingerprint, IntensityProperties};
use nnunet_preprocessing::{CaseSummary, assemble, foreground_intensities};

use super::parallel::{CaseStep, Limits, for_each_case};
use super::sizes::{f32_bytes, voxels};
use super::task_folders::TaskFolders;
use crate::dataset::Dataset;
use crate::{folders, images, records};

/// Analyzes the cropped cases and writes `dataset_properties.pkl` (and `intensityproperties.pkl` for CT).
///
/// # Errors
/// Returns one error that lists all cases that cannot be read.
pub fn analyze(dataset: &Dataset, task: &TaskFolders, limits: Limits) -> Result<Fingerprint> {
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
    records::save_with_twin(&task.cropped.join("dataset_properties.pkl"), &value)?;
    folders::create(&task.preprocessed)?;
    records::save_with_twin(&task.preprocessed.join("dataset_properties.pkl"), &value)?;
    folders::copy_file(&dataset.folder.join("dataset.json"), &task.preprocessed.join("dataset.json"))?;
    Ok(fingerprint)
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
    let intensities = if is_ct {
        let array = npz::load_f32(&task.cropped.join(format!("{case}.npz")), "data")?;
        let channels = array.dim().0 - 1;
        Some(foreground_intensities(
            array.slice(s![..channels, .., .., ..]),
            array.slice(s![channels, .., .., ..]),
        ))
    } else {
        None
    };
    Ok(CaseSummary {
        name: case.to_owned(),
        size,
        spacing: properties.original_spacing,
        size_reduction: voxels(size) / voxels(properties.original_size_of_raw_data),
        intensities,
    })
}
