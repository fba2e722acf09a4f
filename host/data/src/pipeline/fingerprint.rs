//! The fingerprint of a cropped task, kept beside it as v1 does.

use anyhow::Result;
use ndarray::s;
use nnunet_formats::npz;
use nnunet_plugin_api::vocabulary::Fingerprint;
use nnunet_preprocessing::{CaseSummary, assemble, foreground_intensities};

use super::parallel::for_each_case;
use super::{Limits, TaskFolders, f32_bytes, voxels};
use crate::dataset::Dataset;
use crate::{folders, images, records};

/// Analyses the cropped cases and writes `dataset_properties.pkl` (and `intensityproperties.pkl` for CT).
///
/// # Errors
/// All cases that cannot be read, together.
pub fn analyze(dataset: &Dataset, task: &TaskFolders, limits: Limits) -> Result<Fingerprint> {
    let is_ct = dataset.modalities.iter().any(|name| name == "CT" || name == "ct");
    let cases = folders::case_names(&task.cropped);
    let memory = |case: &str| if is_ct { memory_of(dataset, case) } else { 0 };
    let summaries = for_each_case("analysing", &cases, limits, memory, |case| summarize(task, case, is_ct))?;
    let fingerprint = assemble(summaries, dataset.modalities.clone(), dataset.classes.clone());
    if let Some(channels) = &fingerprint.intensity_properties {
        records::save(
            &task.cropped.join("intensityproperties.pkl"),
            &records::intensities_to_pickle(channels),
        )?;
    }
    let value = records::fingerprint_to_pickle(&fingerprint);
    records::save_with_twin(&task.cropped.join("dataset_properties.pkl"), &value)?;
    folders::create(&task.preprocessed)?;
    records::save_with_twin(&task.preprocessed.join("dataset_properties.pkl"), &value)?;
    super::crop::copy_file(&dataset.folder.join("dataset.json"), &task.preprocessed.join("dataset.json"))?;
    Ok(fingerprint)
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
