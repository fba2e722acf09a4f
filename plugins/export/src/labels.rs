//! From scores to labels on the raw grid.

use ndarray::{Array3, ArrayView3, ArrayView4, s};
use nnunet_numerics::{Resampling, resample_labels};
use nnunet_plugin_core::vocabulary::{CaseProperties, Regions};

use crate::resampler::ExportResampler;

/// A number in label maps.
pub trait Label: Copy + Default + From<u8> {
    /// The label of a class, if there is one.
    fn of(class: usize) -> Option<Self>;
}

impl Label for u8 {
    fn of(class: usize) -> Option<Self> {
        Self::try_from(class).ok()
    }
}

/// Models of v2 may have more labels than 8 bits hold.
impl Label for u16 {
    fn of(class: usize) -> Option<Self> {
        Self::try_from(class).ok()
    }
}

/// What the network's outputs mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentationHeads {
    /// One for each label, background included.
    Labels(usize),
    /// One for each region; where it is found, this label. Later regions overwrite earlier ones.
    Regions(Vec<u8>),
}

impl SegmentationHeads {
    /// Regions, or so many classes.
    #[must_use]
    pub fn of(classes: usize, regions: Option<&Regions>) -> Self {
        regions.map_or(SegmentationHeads::Labels(classes), |regions| {
            SegmentationHeads::Regions(regions.class_order.clone())
        })
    }

    /// Number of outputs.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            SegmentationHeads::Labels(count) => *count,
            SegmentationHeads::Regions(order) => order.len(),
        }
    }

    /// The labels that label maps may have, background included.
    #[must_use]
    pub fn values(&self) -> Vec<u16> {
        match self {
            SegmentationHeads::Labels(count) => (0..=u16::MAX).take(*count).collect(),
            SegmentationHeads::Regions(order) => {
                std::iter::once(0).chain(order.iter().copied().map(u16::from)).collect()
            }
        }
    }

    /// Labels of scores: probabilities, or logits where labels exclude each other.
    #[must_use]
    pub fn labels<L: Label>(&self, scores: ArrayView4<'_, f32>) -> Array3<L> {
        match self {
            SegmentationHeads::Labels(_) => labels_of(scores),
            SegmentationHeads::Regions(order) => regions_of(scores, order),
        }
    }
}

/// The most probable class of every voxel; the first one on ties.
#[must_use]
pub fn labels_of<L: Label>(probabilities: ArrayView4<'_, f32>) -> Array3<L> {
    let (_, z, y, x) = probabilities.dim();
    let mut best = Array3::from_elem((z, y, x), f32::NEG_INFINITY);
    let mut labels = Array3::default((z, y, x));
    for (class, channel) in probabilities.outer_iter().enumerate() {
        let Some(class) = L::of(class) else { break };
        ndarray::Zip::from(&mut best).and(&mut labels).and(channel).for_each(|best, label, value| {
            if *value > *best {
                *best = *value;
                *label = class;
            }
        });
    }
    labels
}

/// Labels from probabilities of regions that may overlap: where region i is more likely than not, `order[i]`; later
/// regions overwrite earlier ones.
#[must_use]
pub fn regions_of<L: Label>(probabilities: ArrayView4<'_, f32>, order: &[u8]) -> Array3<L> {
    let (_, z, y, x) = probabilities.dim();
    let mut labels = Array3::default((z, y, x));
    for (class, channel) in order.iter().zip(probabilities.outer_iter()) {
        ndarray::Zip::from(&mut labels).and(channel).for_each(|label, value| {
            if *value > 0.5 {
                *label = L::from(*class);
            }
        });
    }
    labels
}

/// Brings labels (z, y, x) from the preprocessed grid, in transposed order, to the cropped case's: by the strongest
/// label, resampled as scores would be, or by the nearest voxel (v1's modes `fast` and `fastest`). The nearest voxel
/// is that of all axes together.
#[must_use]
pub fn labels_to_cropped_grid(
    labels: ArrayView3<'_, u16>,
    grids: &ExportResampler,
    nearest: bool,
) -> Array3<u16> {
    let labels = labels.permuted_axes(grids.transpose_backward);
    if labels.shape() == grids.cropped {
        return labels.as_standard_layout().into_owned();
    }
    let how = match grids.how {
        how if nearest || how.order == 0 => Resampling { order: 0, separate: None, ..how },
        how => how,
    };
    let values = labels.mapv(f32::from);
    resample_labels(values.view(), grids.cropped, how).mapv(|label| label as u16)
}

/// Puts labels of the cropped case back into the raw image; outside is background.
#[must_use]
pub fn paste<T: Copy + Default>(labels: ArrayView3<'_, T>, case: &CaseProperties) -> Array3<T> {
    let mut raw = Array3::default(case.original_size_of_raw_data);
    let [z, y, x] = std::array::from_fn(|axis| {
        let low = case.crop_bbox[axis][0];
        low..(low + labels.shape()[axis]).min(case.original_size_of_raw_data[axis])
    });
    let inside = labels.slice(s![..z.len(), ..y.len(), ..x.len()]);
    raw.slice_mut(s![z, y, x]).assign(&inside);
    raw
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;

    #[test]
    fn labels_are_pasted_into_the_crop_box() {
        let probabilities =
            Array4::from_shape_fn((3, 1, 1, 2), |(c, _, _, x)| if c == x + 1 { 0.9 } else { 0.1 });
        let labels = labels_of::<u8>(probabilities.view());
        let case = CaseProperties {
            original_size_of_raw_data: [2, 2, 4],
            crop_bbox: [[1, 2], [0, 1], [2, 4]],
            ..CaseProperties::default()
        };
        let raw = paste(labels.view(), &case);
        assert_eq!((raw[[1, 0, 2]], raw[[1, 0, 3]], raw.sum()), (1, 2, 3));
    }

    #[test]
    fn there_are_more_labels_than_a_byte_holds() {
        let scores =
            Array4::from_shape_fn((300, 1, 1, 2), |(c, _, _, x)| if c == 298 + x { 0.9 } else { 0.0 });
        let labels: Array3<u16> = SegmentationHeads::Labels(300).labels(scores.view());
        assert_eq!(labels.into_raw_vec_and_offset().0, [298, 299]);
    }

    #[test]
    fn labels_are_resampled_as_scores_or_to_the_nearest_voxel() {
        let labels =
            Array3::from_shape_fn((5, 6, 7), |(z, y, x)| ((5 * z + y * y + x * y + 7 * x) % 4) as u16);
        let grid = |order, order_z, nearest| {
            let how = Resampling { order, order_z, separate: Some(0) };
            let grids = ExportResampler {
                transpose_backward: [0, 1, 2],
                network: [5, 6, 7],
                cropped: [8, 9, 5],
                how,
            };
            labels_to_cropped_grid(labels.view(), &grids, nearest)
        };
        // The nearest voxel is that of all axes together, whatever the plans say.
        assert_eq!(grid(1, 0, true), grid(3, 1, true));
        assert_eq!(grid(1, 0, true), grid(0, 1, false));
        assert_ne!(grid(1, 0, false), grid(3, 0, false));
    }

    #[test]
    fn later_regions_overwrite_earlier_ones() {
        let scores = Array4::from_shape_vec((2, 1, 1, 3), vec![0.6, 0.6, 0.4, 0.5, 0.7, 0.8]).unwrap();
        let labels = SegmentationHeads::Regions(vec![2, 1]).labels::<u8>(scores.view());
        assert_eq!(labels.into_raw_vec_and_offset().0, [2, 1, 1]);
    }
}
