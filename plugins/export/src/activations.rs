//! From logits to probabilities, in place.

use ndarray::{Array4, Axis};

/// Probabilities of classes that exclude each other, (classes, z, y, x).
pub fn softmax(logits: &mut Array4<f32>) {
    for mut voxel in logits.lanes_mut(Axis(0)) {
        let highest = voxel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        voxel.mapv_inplace(|value| (value - highest).exp());
        let sum = voxel.sum();
        voxel.mapv_inplace(|value| value / sum);
    }
}

/// Probabilities of regions that may overlap.
pub fn sigmoid(logits: &mut Array4<f32>) {
    logits.mapv_inplace(|value| 1.0 / (1.0 + (-value).exp()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_do_not_overflow() {
        let mut logits = Array4::from_shape_vec((3, 1, 1, 1), vec![1000.0, 1000.0, -1000.0]).unwrap();
        softmax(&mut logits);
        assert_eq!(logits.into_raw_vec_and_offset().0, [0.5, 0.5, 0.0]);
        let mut logits = Array4::from_shape_vec((3, 1, 1, 1), vec![0.0, 1000.0, -1000.0]).unwrap();
        sigmoid(&mut logits);
        assert_eq!(logits.into_raw_vec_and_offset().0, [0.5, 1.0, 0.0]);
    }
}
