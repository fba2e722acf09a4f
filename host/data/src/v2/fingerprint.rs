//! `dataset_fingerprint.json` of a data set of v2.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use nnunet_formats::json;
use nnunet_numerics::stats::median_f64;
use nnunet_planning::v2::Fingerprint;
use nnunet_preprocessing::v2::{Sample, sample_foreground, statistics};
use serde_json::Value;

use super::case_summaries::{self, CaseSummary};
use super::{CaseFiles, RawDataset, load};
use crate::pipeline::cache_key::KeyBuilder;
use crate::pipeline::parallel::{CaseStep, for_each_case};
use crate::pipeline::sizes::{f32_bytes, voxels};
use crate::pipeline::{Limits, Part};
use crate::{folders, images};

/// Foreground voxels that are drawn of the whole data set.
const DRAWS: u64 = 100_000_000;
/// The file's name.
pub(super) const FILE: &str = "dataset_fingerprint.json";

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
    let cases = for_each_case(&Extraction::new(dataset), &dataset.names(), limits)?;
    let fingerprint = assemble(&cases)?;
    folders::create(folder)?;
    json::save_in_order(&path, &serde_json::to_value(&fingerprint)?.into())?;
    Ok(fingerprint)
}

/// Reads a part of the training cases. Once other processes have read theirs, writes the same fingerprint into `folder` as
/// [`extract_fingerprint`]; returns the number of cases that are left to read until then. Cases that have been read are not
/// read again.
///
/// # Errors
/// As [`extract_fingerprint`].
pub fn extract_part(dataset: &RawDataset, folder: &Path, limits: Limits, part: Part) -> Result<usize> {
    let (path, kept) = (folder.join(FILE), case_summaries::folder(folder));
    if path.is_file() {
        return Ok(0);
    }
    part.sweep(&kept)?;
    let step = Keep { extraction: Extraction::new(dataset), kept: &kept };
    for_each_case(&step, &part.of(&dataset.names()), limits)?;
    let mut cases = Vec::new();
    for case in &dataset.cases {
        cases.extend(case_summaries::load(&kept, &case.name, &step.key(case)?));
    }
    let left = dataset.cases.len() - cases.len();
    if left == 0 {
        json::save_in_order(&path, &serde_json::to_value(assemble(&cases)?)?.into())?;
        case_summaries::remove(&kept)?;
    }
    Ok(left)
}

/// Reads cases and keeps what they contribute.
struct Keep<'a> {
    extraction: Extraction<'a>,
    kept: &'a Path,
}

impl Keep<'_> {
    /// What the summary of a case follows from.
    fn key(&self, case: &CaseFiles) -> Result<String> {
        let files = case.images.iter().chain([&case.label]);
        let key = files.clone().try_fold(KeyBuilder::new(), |key, path| key.file(path))?;
        let draws = self.extraction.draws.to_string();
        let reader = self.extraction.dataset.reader.name();
        Ok(format!("{:?}", key.text(&draws).text(reader).finish()))
    }
}

impl CaseStep for Keep<'_> {
    type Output = ();

    fn name(&self) -> String {
        self.extraction.name()
    }

    fn memory(&self, case: &str) -> u64 {
        self.extraction.memory(case)
    }

    fn run(&self, case: &str) -> Result<()> {
        let key = self.key(self.extraction.dataset.case(case)?)?;
        if case_summaries::load(self.kept, case, &key).is_some() {
            return Ok(());
        }
        case_summaries::save(self.kept, case, &key, &self.extraction.run(case)?)
    }
}

/// Reads the cases of a data set.
struct Extraction<'a> {
    dataset: &'a RawDataset,
    /// Foreground voxels that are drawn of every case.
    draws: u32,
}

impl<'a> Extraction<'a> {
    fn new(dataset: &'a RawDataset) -> Self {
        Self { dataset, draws: (DRAWS / dataset.cases.len() as u64) as u32 }
    }
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
