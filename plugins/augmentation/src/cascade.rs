//! The labels of the previous stage as additional input channels of a cascade, and their augmentation.

use ndarray::{Array3, Array4, ArrayView3, Axis, concatenate};
use nnunet_numerics::morphology::{close, dilate, erode, open};
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, draw};

/// Dilates, erodes, opens and closes the labels of the previous stage, so that the network does not rely on them
/// blindly. No effect outside of a cascade.
///
/// Source: `MoveSegAsOneHotToData`, `ApplyRandomBinaryOperatorTransform`. v1's removal of random components swaps two
/// arguments and never removes anything; its parameters are accepted and have no effect here either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cascade {
    /// Probability per sample of a binary operation.
    pub cascade_random_binary_transform_p: f64,
    /// Probability per label of a selected sample.
    pub cascade_random_binary_transform_p_per_label: f64,
    /// Radius of the ball, voxels.
    pub cascade_random_binary_transform_size: Interval,
    /// v1's probability of removing a component; has no effect.
    pub cascade_remove_conn_comp_p: f64,
    /// v1's largest fraction covered by such a component; has no effect.
    pub cascade_remove_conn_comp_max_size_percent_threshold: f64,
    /// v1's probability of assigning such a component to another class; has no effect.
    pub cascade_remove_conn_comp_fill_with_other_class_p: f64,
}

impl Default for Cascade {
    fn default() -> Self {
        Self {
            cascade_random_binary_transform_p: 0.4,
            cascade_random_binary_transform_p_per_label: 1.0,
            cascade_random_binary_transform_size: [1.0, 8.0],
            cascade_remove_conn_comp_p: 0.2,
            cascade_remove_conn_comp_max_size_percent_threshold: 0.15,
            cascade_remove_conn_comp_fill_with_other_class_p: 0.0,
        }
    }
}

impl Cascade {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if sample.seg.shape()[0] < 2 {
            return;
        }
        append_previous_stage(sample, context.num_labels);
        if random.chance(self.cascade_random_binary_transform_p) {
            self.change(sample, context.num_labels, random);
        }
    }

    fn change(&self, sample: &mut Sample, num_labels: usize, random: &mut RandomStream) {
        let first = sample.data.shape()[0] - num_labels;
        for label in random.permutation(num_labels) {
            if random.chance(self.cascade_random_binary_transform_p_per_label) {
                let operation = [dilate, erode, close, open][random.below(4)];
                let radius = draw(self.cascade_random_binary_transform_size, random);
                change_label(sample, first, label, num_labels, |mask| {
                    operation(mask, (2.0 * radius + 1.0) as usize)
                });
            }
        }
    }
}

/// Applies an operation to the channel of one label; voxels it adds are cleared in the other channels.
pub(crate) fn change_label(
    sample: &mut Sample,
    first: usize,
    label: usize,
    num_labels: usize,
    operation: impl Fn(ArrayView3<'_, bool>) -> Array3<bool>,
) {
    let before = sample.data.index_axis(Axis(0), first + label).mapv(|value| value > 0.5);
    let after = operation(before.view());
    for channel in first..first + num_labels {
        let values = sample.data.index_axis_mut(Axis(0), channel);
        ndarray::Zip::from(values).and(&before).and(&after).for_each(|value, before, after| {
            if channel == first + label {
                *value = f32::from(u8::from(*after));
            } else if *after && !before {
                *value = 0.0;
            }
        });
    }
}

/// Moves the second channel of the segmentation, if there is one, to the data, one-hot encoded.
pub fn append_previous_stage(sample: &mut Sample, num_labels: usize) {
    if sample.seg.shape()[0] < 2 {
        return;
    }
    let hot = one_hot(sample.seg.index_axis(Axis(0), 1), num_labels);
    // Both have the spatial shape of the sample.
    sample.data = concatenate(Axis(0), &[sample.data.view(), hot.view()]).unwrap_or_default();
    sample.seg = sample.seg.slice(ndarray::s![..1, .., .., ..]).to_owned();
}

/// One-hot encoding of the labels 1 to `num_labels` of a label map (z, y, x).
#[must_use]
pub fn one_hot(labels: ArrayView3<'_, f32>, num_labels: usize) -> Array4<f32> {
    let (z, y, x) = labels.dim();
    let mut hot = Array4::zeros((num_labels, z, y, x));
    for (label, mut channel) in hot.outer_iter_mut().enumerate() {
        channel.zip_mut_with(&labels, |to, from| *to = f32::from(u8::from(*from == (label + 1) as f32)));
    }
    hot
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cascade_sample() -> Sample {
        let seg = Array4::from_shape_fn((2, 12, 12, 12), |(channel, z, y, x)| {
            let inside = (3..9).contains(&z) && (3..9).contains(&y) && (2..10).contains(&x);
            if channel == 1 && inside { if x < 6 { 1.0 } else { 2.0 } } else { 0.0 }
        });
        Sample { data: Array4::from_elem((1, 12, 12, 12), 7.0), seg }
    }

    #[test]
    fn channels_stay_exclusive_whatever_is_drawn() {
        let context = AugmentationContext { patch: vec![12; 3], num_labels: 2, ..Default::default() };
        let cascade = Cascade { cascade_random_binary_transform_p: 1.0, ..Cascade::default() };
        let mut changed = 0;
        for seed in 0..20 {
            let mut sample = cascade_sample();
            cascade.apply(&mut sample, &context, &mut RandomStream::from_seed(seed));
            assert_eq!((sample.data.shape()[0], sample.seg.shape()[0]), (3, 1));
            let (one, two) = (sample.data.index_axis(Axis(0), 1), sample.data.index_axis(Axis(0), 2));
            assert!(one.iter().zip(&two).all(|(a, b)| a + b <= 1.0));
            changed += usize::from(one.sum() != 144.0 || two.sum() != 144.0);
            assert!(sample.data.index_axis(Axis(0), 0).iter().all(|value| *value == 7.0));
        }
        assert!(changed > 10, "{changed} of 20 samples changed");
    }

    #[test]
    fn without_a_previous_stage_nothing_happens() {
        let mut sample = Sample { data: Array4::zeros((1, 2, 2, 2)), seg: Array4::zeros((1, 2, 2, 2)) };
        let before = sample.clone();
        Cascade::default().apply(&mut sample, &Default::default(), &mut RandomStream::from_seed(1));
        assert_eq!(sample, before);
    }
}
