//! `dataset_fingerprint.json` of a data set of v2.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_formats::json;
use nnunet_numerics::stats::median_f64;
use nnunet_planning::v2::Fingerprint;
use nnunet_preprocessing::v2::{Sample, sample_foreground, statistics};
use serde_json::Value;

use super::{CaseFiles, RawDataset, load};
use crate::pipeline::Limits;
use crate::pipeline::parallel::{CaseStep, for_each_case};
use crate::pipeline::sizes::{f32_bytes, voxels};
use crate::{folders, images};

/// Foreground voxels that are drawn of the whole data set.
const DRAWS: u64 = 100_000_000;
/// The file's name.
pub(super) const FILE: &str = "dataset_fingerprint.json";

/// What one case contributes.
struct CaseSummary {
    shape: [usize; 3],
    spacing: [f64; 3],
    relative_size: f64,
    intensities: Vec<Sample>,
}

/// Reads all training cases and writes the fingerprint into `folder`. One that is there already is kept unless `again`.
///
/// # Errors
/// Returns an error that lists all cases that cannot be read, or an error if no case has foreground.
pub fn extract_fingerprint(
    dataset: &RawDataset,
    folder: &Path,
    limits: Limits,
    again: bool,
) -> Result<Fingerprint> {
    let path = folder.join(FILE);
    if path.is_file() && !again {
        return load(&path);
    }
    let draws = (DRAWS / dataset.cases.len() as u64) as u32;
    let cases = for_each_case(&Extraction { dataset, draws }, &dataset.names(), limits)?;
    let fingerprint = assemble(&cases)?;
    folders::create(folder)?;
    json::save_in_order(&path, &serde_json::to_value(&fingerprint)?.into())?;
    Ok(fingerprint)
}

/// Reads the cases of a data set.
struct Extraction<'a> {
    dataset: &'a RawDataset,
    /// Foreground voxels that are drawn of every case.
    draws: u32,
}

impl CaseStep for Extraction<'_> {
    type Output = CaseSummary;

    fn name(&self) -> String {
        "extracting the fingerprint".to_owned()
    }

    fn memory(&self, case: &str) -> u64 {
        self.dataset.case(case).map_or(0, |case| memory_of(self.dataset, case))
    }

    fn run(&self, case: &str) -> Result<CaseSummary> {
        summarize(self.dataset, self.dataset.case(case)?, self.draws)
    }
}

/// The raw image, its crop, a mask, the bytes of one file, and the foreground with its counts.
fn memory_of(dataset: &RawDataset, case: &CaseFiles) -> u64 {
    let size = images::read_geometry(&case.label).map_or(0, |geometry| voxels(geometry.size));
    f32_bytes(size) * (2 * (dataset.description.channel_names.len() as u64 + 1) + 5)
}

fn summarize(dataset: &RawDataset, case: &CaseFiles, draws: u32) -> Result<CaseSummary> {
    let (cropped, properties) = dataset.reader.read(&case.images, Some(&case.label))?.crop_or_keep();
    let channels = dataset.description.channel_names.len();
    let found = cropped.data.dim().0;
    ensure!(found == channels, "it has {found} channels; dataset.json names {channels}");
    Ok(CaseSummary {
        shape: properties.size_after_cropping,
        spacing: properties.original_spacing,
        relative_size: voxels(properties.size_after_cropping) as f64
            / voxels(properties.original_size_of_raw_data) as f64,
        intensities: sample_foreground(cropped.data.view(), cropped.seg.view(), draws)?,
    })
}

fn assemble(cases: &[CaseSummary]) -> Result<Fingerprint> {
    let channels = cases.first().map_or(0, |case| case.intensities.len());
    let of_channel = |channel: usize| -> Result<(String, Value)> {
        let samples: Vec<&Sample> = cases.iter().map(|case| &case.intensities[channel]).collect();
        let found = statistics(&samples).context("no training case has a foreground label")?;
        Ok((channel.to_string(), serde_json::to_value(found)?))
    };
    Ok(Fingerprint {
        intensities: (0..channels).map(of_channel).collect::<Result<_>>()?,
        relative_size: median_f64(&cases.iter().map(|case| case.relative_size).collect::<Vec<_>>()),
        shapes: cases.iter().map(|case| case.shape).collect(),
        spacings: cases.iter().map(|case| case.spacing).collect(),
    })
}
