//! A spatial Gaussian with values from 0 to 1.

use ndarray::ArrayViewMut3;

/// Voxel-wise integrals of a Gaussian, normalized to [0, 1] over the image (batchgenerators `LocalTransform`).
#[derive(Debug, Clone)]
pub struct SpatialGaussian {
    lines: [Vec<f64>; 3],
    low: f64,
    extent: f64,
}

impl SpatialGaussian {
    /// `place` returns center and standard deviation, in voxels, for an axis of a given length. Axes of length 1 are
    /// ignored.
    pub fn new(shape: [usize; 3], place: impl FnMut(usize) -> (f64, f64)) -> Self {
        Self::with_smallest_extent(shape, 1e-8, place)
    }

    /// As [`SpatialGaussian::new`], but it reaches 1 wherever its center is (batchgeneratorsv2 `LocalTransform`).
    pub fn normalized(shape: [usize; 3], place: impl FnMut(usize) -> (f64, f64)) -> Self {
        Self::with_smallest_extent(shape, f64::MIN_POSITIVE, place)
    }

    fn with_smallest_extent(
        shape: [usize; 3],
        smallest: f64,
        mut place: impl FnMut(usize) -> (f64, f64),
    ) -> Self {
        let lines = shape.map(|len| {
            if len == 1 {
                return vec![1.0];
            }
            let (center, deviation) = place(len);
            let below = |at: f64| normal_below((at - center) / deviation);
            (0..len).map(|i| below(i as f64 + 0.5) - below(i as f64 - 0.5)).collect()
        });
        let extreme = |pick: fn(f64, f64) -> f64, start: f64| -> f64 {
            lines.iter().map(|line: &Vec<f64>| line.iter().copied().fold(start, pick)).product()
        };
        let low = extreme(f64::min, f64::INFINITY);
        let extent = (extreme(f64::max, f64::NEG_INFINITY) - low).max(smallest);
        Self { lines, low, extent }
    }

    /// Calls `change` with each voxel and the value of the Gaussian there.
    pub(crate) fn for_each(
        &self,
        channel: &mut ArrayViewMut3<'_, f32>,
        mut change: impl FnMut(&mut f32, f32),
    ) {
        let [lz, ly, lx] = &self.lines;
        for (mut plane, z) in channel.outer_iter_mut().zip(lz) {
            for (mut row, y) in plane.outer_iter_mut().zip(ly) {
                let (factor, low) = ((z * y / self.extent) as f32, (self.low / self.extent) as f32);
                row.iter_mut().zip(lx).for_each(|(value, x)| change(value, factor * *x as f32 - low));
            }
        }
    }
}

/// Cumulative distribution function of the standard normal distribution.
fn normal_below(at: f64) -> f64 {
    0.5 * libm::erfc(-at / std::f64::consts::SQRT_2)
}
