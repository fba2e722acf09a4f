//! Label maps resampled by the most likely label.

use ndarray::{Array3, Array4, ArrayView3, ArrayView4, Axis, Zip};

use crate::resample::{Resampling, resample};
use crate::stats::unique;

/// Resamples a label map as v2's `resample_torch` does: every voxel gets the label whose mask, resampled in half
/// precision, is largest there; the lowest of equals.
#[must_use]
pub fn resample_most_likely(labels: ArrayView3<'_, f32>, shape: [usize; 3], how: Resampling) -> Array3<f32> {
    let mut likelihood = Array3::from_elem(shape, f32::NEG_INFINITY);
    let mut found = Array3::zeros(shape);
    for label in unique(labels.iter().copied()) {
        let mask = labels.mapv(|value| f32::from(value == label)).insert_axis(Axis(0));
        let mask: Array4<f32> = resample(ArrayView4::from(&mask), shape, how);
        Zip::from(&mut likelihood).and(&mut found).and(&mask.index_axis(Axis(0), 0)).for_each(
            |best, found, value| {
                let value = half::f16::from_f32(*value * SCALE).to_f32();
                if value > *best {
                    (*best, *found) = (value, label);
                }
            },
        );
    }
    found
}

/// v2 scales masks by this before it rounds them to half precision.
const SCALE: f32 = 1000.0;

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn no_voxel_between_labels_becomes_background() {
        let labels = array![[[1.0_f32, 2.0], [3.0, 3.0]]];
        let how = Resampling { order: 1, order_z: 0, separate: None };
        let found = resample_most_likely(labels.view(), [1, 6, 6], how);
        assert!(found.iter().all(|label| *label >= 1.0), "{found}");
        assert_eq!(found[[0, 0, 0]], 1.0);
    }
}
