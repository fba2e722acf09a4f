//! Collects what training images look like.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use nnunet_formats::Geometry;

use super::intensities::{Band, bands};
use super::range::Range;
use super::{Channel, FILE, TrainingImages};
use crate::images;
use crate::orientation::Orientation;
use crate::pipeline::Limits;
use crate::pipeline::parallel::{CaseStep, for_each_case};

/// Where training images are found, and how they are read.
pub trait Source: Sync {
    /// Names of the training cases.
    fn names(&self) -> Vec<String>;

    /// Names of the channels.
    fn channels(&self) -> Vec<String>;

    /// Images of a case.
    ///
    /// # Errors
    /// Returns an error if there is no such case.
    fn images(&self, case: &str) -> Result<Vec<PathBuf>>;

    /// Where an image lies that is read from a file with this geometry.
    fn as_read(&self, file: &Geometry) -> Geometry {
        *file
    }
}

/// Keeps the record of training images in a folder, unless one is there that is newer than all of them. Nothing that is
/// trained depends on it: if it cannot be made, that is a warning.
pub fn keep(source: &dyn Source, folder: &Path, limits: Limits) {
    if is_current(source, folder) {
        return;
    }
    if let Err(error) = record(source, limits).and_then(|found| found.save(folder)) {
        tracing::warn!("predictions cannot be compared with the training images: {error:#}");
    }
}

fn is_current(source: &dyn Source, folder: &Path) -> bool {
    let (Some(found), Some(made)) = (TrainingImages::load(folder), modified(&folder.join(FILE))) else {
        return false;
    };
    let names = source.names();
    let is_older = |file: &PathBuf| modified(file).is_some_and(|changed| changed < made);
    let are_older = |case: &String| source.images(case).is_ok_and(|files| files.iter().all(is_older));
    found.orientations.values().sum::<usize>() == names.len() && names.iter().all(are_older)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// Reads all training images.
///
/// # Errors
/// Returns one error that lists all cases that cannot be read.
pub fn record(source: &dyn Source, limits: Limits) -> Result<TrainingImages> {
    let cases = for_each_case(&Describe(source), &source.names(), limits)?;
    let mut found = TrainingImages::default();
    for case in &cases {
        *found.orientations.entry(case.orientation.clone()).or_default() += 1;
    }
    let axis = |axis: usize| Range::of(cases.iter().map(|case| case.spacing[axis]));
    found.spacings = axis(0).zip(axis(1)).zip(axis(2)).map(|((x, y), z)| [x, y, z]);
    let names = source.channels().into_iter().enumerate();
    found.channels = names.filter_map(|(channel, name)| of_channel(channel, name, &cases)).collect();
    Ok(found)
}

fn of_channel(channel: usize, name: String, cases: &[Described]) -> Option<Channel> {
    let bands = || cases.iter().filter_map(|case| case.bands.get(channel).copied().flatten());
    Some(Channel {
        name,
        percentile_00_5: Range::of(bands().map(|band| band.low))?,
        percentile_99_5: Range::of(bands().map(|band| band.high))?,
        width: Range::of(bands().map(|band| band.width()))?,
    })
}

/// A case.
struct Described {
    orientation: String,
    /// From left to right, from back to front, and upwards.
    spacing: [f64; 3],
    bands: Vec<Option<Band>>,
}

/// Reads a case.
struct Describe<'a>(&'a dyn Source);

impl CaseStep for Describe<'_> {
    type Output = Described;

    fn name(&self) -> String {
        "looking at the images".to_owned()
    }

    /// Images are read slice by slice.
    fn memory(&self, _case: &str) -> u64 {
        0
    }

    fn run(&self, case: &str) -> Result<Described> {
        let files = self.0.images(case)?;
        let geometry =
            self.0.as_read(&images::read_geometry(files.first().context("a case without images")?)?);
        let orientation = Orientation::of(&geometry);
        let all: Vec<_> = files.iter().map(|file| bands(file)).collect::<Result<_>>()?;
        Ok(Described {
            orientation: orientation.letters(),
            spacing: orientation.geometry(&geometry).spacing,
            bands: all.concat(),
        })
    }
}
