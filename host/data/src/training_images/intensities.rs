//! Intensities of images.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::images;

/// About as many voxels of an image are looked at.
const SAMPLES: usize = 200_000;
/// Shares of the voxels below the two percentiles.
const SHARES: [f64; 2] = [0.005, 0.995];

/// The percentiles 0.5 and 99.5 of an image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Percentile 0.5.
    pub low: f64,
    /// Percentile 99.5.
    pub high: f64,
}

impl Band {
    /// Difference of the percentiles.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// Of some voxels; none if no number is finite.
    fn of(mut voxels: Vec<f32>) -> Option<Self> {
        voxels.retain(|voxel| voxel.is_finite());
        let last = voxels.len().checked_sub(1)?;
        let [low, high] = SHARES.map(|share| {
            let index = (last as f64 * share).round() as usize;
            f64::from(*voxels.select_nth_unstable_by(index, f32::total_cmp).1)
        });
        Some(Self { low, high })
    }
}

/// The bands of all channels of a file. Of a volume one slice at a time is in memory.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(super) fn bands(path: &Path) -> Result<Vec<Option<Band>>> {
    let size = images::read_geometry(path)?.size;
    if size[2] == 1 {
        let channels = images::read_channels(path)?;
        return Ok(channels
            .outer_iter()
            .map(|channel| Band::of(channel.iter().copied().collect()))
            .collect());
    }
    // An odd step does not stay in one column of images whose sizes are even.
    let step = (size.iter().product::<usize>() / SAMPLES) | 1;
    let (mut voxels, mut next) = (Vec::new(), 0);
    images::for_each_slice(path, |_, slice| {
        voxels.extend(slice.iter().skip(next).step_by(step));
        let taken = slice.len().saturating_sub(next).div_ceil(step);
        next = next + taken * step - slice.len();
    })?;
    Ok(vec![Band::of(voxels)])
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use nnunet_formats::nifti::{self, Geometry};

    use super::*;

    #[test]
    fn percentiles_are_those_of_the_whole_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nii.gz");
        let geometry = Geometry {
            size: [110, 90, 80],
            spacing: [1.0; 3],
            origin: [0.0; 3],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        // From 0 to 1000 along z.
        let image = Array3::from_shape_fn((80, 90, 110), |(z, _, _)| z as f32 * 1000.0 / 79.0);
        nifti::write_image(&path, image.view(), &geometry).unwrap();
        let [Some(band)] = bands(&path).unwrap()[..] else { panic!("one channel") };
        assert_eq!((band.low, band.high), (0.0, 1000.0));
        assert_eq!(Band::of(vec![f32::NAN]), None);
        assert_eq!(Band::of(vec![3.0, f32::NAN]), Some(Band { low: 3.0, high: 3.0 }));
    }
}
