//! Random displacement fields.

use ndarray::Array3;
use nnunet_numerics::{Displacement, Ends, gaussian_blur};
use nnunet_plugin_core::RandomStream;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Amplitude and smoothness of a displacement field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Elastic {
    /// Uniform noise, smoothed with `sigma` voxels and multiplied by `alpha` (batchgenerators `SpatialTransform`).
    Absolute { alpha: f64, sigma: f64 },
    /// By axis: noise smoothed with `sigma` voxels, of which the largest is `magnitude` (`SpatialTransform_2`).
    Relative { sigma: [f64; 3], magnitude: [f64; 3] },
}

impl Elastic {
    /// Largest possible displacement along each axis; `None` if it is not known before the field is computed.
    pub(super) fn reach(&self) -> Option<[f64; 3]> {
        match self {
            Elastic::Absolute { .. } => None,
            // The mean is subtracted from the field, which may double its largest value.
            Elastic::Relative { magnitude, .. } => Some(magnitude.map(|most| 2.0 * most)),
        }
    }

    /// The displacements along z, y and x; `planar` does not move z and uses one field for all slices.
    pub(super) fn field(&self, patch: [usize; 3], planar: bool, random: &mut RandomStream) -> Displacement {
        let [nz, ny, nx] = patch;
        let shape = if planar { (1, ny, nx) } else { (nz, ny, nx) };
        std::array::from_fn(|axis| {
            if planar && axis == 0 {
                return Array3::zeros(shape);
            }
            let mut noise = SmallRng::seed_from_u64(random.bits());
            let mut field = Array3::from_shape_simple_fn(shape, || noise.random::<f32>() * 2.0 - 1.0);
            self.smooth(&mut field, axis, planar);
            field
        })
    }

    fn smooth(&self, field: &mut Array3<f32>, axis: usize, planar: bool) {
        let along = |sigma: [f64; 3]| if planar { [0.0, sigma[1], sigma[2]] } else { sigma };
        match *self {
            Elastic::Absolute { alpha, sigma } => {
                gaussian_blur(field.view_mut(), along([sigma; 3]), Ends::Zero);
                field.mapv_inplace(|value| value * alpha as f32);
            }
            Elastic::Relative { sigma, magnitude } => {
                gaussian_blur(field.view_mut(), along(sigma), Ends::Wrap);
                let largest = field.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                let factor = (magnitude[axis] as f32 + 1e-8) / largest.max(f32::MIN_POSITIVE);
                let mean = field.mean().unwrap_or(0.0);
                field.mapv_inplace(|value| (value - mean) * factor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_fields_have_the_magnitude_and_no_mean() {
        let elastic = Elastic::Relative { sigma: [2.0, 3.0, 2.0], magnitude: [1.0, 1.5, 0.5] };
        let fields = elastic.field([12, 16, 14], false, &mut RandomStream::from_seed(1));
        for (field, most) in fields.iter().zip([1.0, 1.5, 0.5]) {
            let largest = field.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!(largest > most * 0.5 && largest < most * 1.5, "{largest} for {most}");
            assert!(field.mean().unwrap().abs() < 1e-4);
        }
    }

    #[test]
    fn planar_fields_leave_z_alone() {
        let elastic = Elastic::Absolute { alpha: 200.0, sigma: 4.0 };
        let [z, y, x] = elastic.field([3, 20, 20], true, &mut RandomStream::from_seed(1));
        assert_eq!(z.dim(), (1, 20, 20));
        assert!(z.iter().all(|value| *value == 0.0));
        assert!(y.iter().chain(&x).all(|value| value.abs() < 50.0) && y != x);
    }
}
