//! The resampling of images on a GPU, for preprocessing.

use ndarray::{Array4, ArrayView4, Axis};
use nnunet_numerics::{Passes, Resampling};
use nnunet_plugin_api::tch::{Device, Kind};
use nnunet_plugin_api::{Error, Result};

use crate::tensor_passes::resampled;
use crate::{from_tensor, to_tensor};

/// Resamples the channels of an image, (channels, z, y, x), one after the other on a device. The values are those of
/// [`nnunet_numerics::resample`] to the bit.
///
/// # Errors
/// Returns an error if the device has no memory for it, or if a value is not finite: arrays have rules for such values that
/// tensors do not share.
pub fn resample_on(
    device: Device,
    image: ArrayView4<'_, f32>,
    shape: [usize; 3],
    how: Resampling,
) -> Result<Array4<f32>> {
    let (channels, z, y, x) = image.dim();
    let passes = Passes::new([z, y, x], shape, how);
    let mut out = Array4::zeros((channels, shape[0], shape[1], shape[2]));
    for (channel, mut out) in image.axis_chunks_iter(Axis(0), 1).zip(out.axis_chunks_iter_mut(Axis(0), 1)) {
        let there = to_tensor(channel)?.f_to_device(device)?;
        if !f64::try_from(there.f_sum(Kind::Double)?)?.is_finite() {
            return Err(Error::message("values that are not finite are resampled in main memory"));
        }
        out.assign(&from_tensor(&resampled(&there, &passes)?)?);
    }
    Ok(out)
}

/// Most bytes that [`resample_on`] takes on the device for one channel, by splines: the image, the samples of a pass, these
/// continued and filtered, and two terms of the result.
#[must_use]
pub fn resample_bytes(from: [usize; 3], to: [usize; 3]) -> u64 {
    let voxels = |grid: [usize; 3]| grid.iter().product::<usize>();
    let how = Resampling { order: 3, order_z: 0, separate: None };
    let (mut grid, mut most) = (from, 0);
    for (i, pass) in Passes::new(from, to, how).all.iter().enumerate() {
        // The first pass takes the image itself.
        let image = if i == 0 { 0 } else { voxels(from) };
        let (before, mut continued) = (grid, grid);
        continued[pass.axis] += 2 * pass.padding;
        grid[pass.axis] = pass.outputs();
        most = most.max(image + voxels(before) + voxels(continued) + 2 * voxels(grid));
    }
    4 * most as u64
}

#[cfg(test)]
mod tests {
    use nnunet_numerics::resample;

    use super::*;

    #[test]
    fn images_are_resampled_as_in_main_memory() {
        let value =
            |(c, z, y, x): (usize, usize, usize, usize)| ((c * 7 + z * 131 + y * 37 + x * 17) % 101) as f32;
        let image = Array4::from_shape_fn((2, 9, 11, 10), value);
        for (separate, order, order_z) in [(None, 3, 0), (Some(0), 3, 0), (Some(1), 1, 0), (Some(2), 3, 3)] {
            let how = Resampling { order, order_z, separate };
            for shape in [[13, 7, 19], [4, 11, 23], [9, 11, 3]] {
                let found = resample_on(Device::Cpu, image.view(), shape, how).unwrap();
                assert_eq!(found, resample(image.view(), shape, how), "{shape:?} {how:?}");
            }
        }
        let how = Resampling { order: 3, order_z: 0, separate: None };
        let strange = image.mapv(|value| if value == 3.0 { f32::NAN } else { value });
        assert!(resample_on(Device::Cpu, strange.view(), [4, 4, 4], how).is_err());
    }
}
