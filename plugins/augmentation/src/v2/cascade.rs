//! The previous stage of a cascade, as v2 changes it.

use ndarray::{Array3, ArrayView3, Axis};
use nnunet_numerics::connected_components_26;
use nnunet_numerics::morphology::Footprint;
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cascade::{append_previous_stage, change_label};
use crate::draw::{Interval, draw};

/// Dilates, erodes, opens and closes the labels of the previous stage and removes components of them, so that the
/// network does not rely on them blindly. No effect outside of a cascade.
///
/// Source: batchgeneratorsv2 `MoveSegAsOneHotToDataTransform`, `ApplyRandomBinaryOperatorTransform`,
/// `RemoveRandomConnectedComponentFromOneHotEncodingTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PreviousStage {
    /// Probability per sample of a binary operation.
    pub cascade_random_binary_transform_p: f64,
    /// Probability per label of a selected sample.
    pub cascade_random_binary_transform_p_per_label: f64,
    /// Radius of the ball or disk, voxels.
    pub cascade_random_binary_transform_size: Interval,
    /// Probability per sample that components are removed.
    pub cascade_remove_conn_comp_p: f64,
    /// Probability per label of a selected sample.
    pub cascade_remove_conn_comp_p_per_label: f64,
    /// Only components smaller than this fraction of the patch are removed.
    pub cascade_remove_conn_comp_max_size_percent_threshold: f64,
    /// Probability that a removed component is assigned to another label.
    pub cascade_remove_conn_comp_fill_with_other_class_p: f64,
}

impl Default for PreviousStage {
    fn default() -> Self {
        Self {
            cascade_random_binary_transform_p: 0.4,
            cascade_random_binary_transform_p_per_label: 0.5,
            cascade_random_binary_transform_size: [1.0, 8.0],
            cascade_remove_conn_comp_p: 0.2,
            cascade_remove_conn_comp_p_per_label: 0.5,
            cascade_remove_conn_comp_max_size_percent_threshold: 0.15,
            cascade_remove_conn_comp_fill_with_other_class_p: 0.0,
        }
    }
}

/// What is done to the mask of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Dilation.
    Dilate,
    /// Erosion.
    Erode,
    /// Dilation, then erosion.
    Close,
    /// Erosion, then dilation.
    Open,
}

const OPERATIONS: [Operation; 4] = [Operation::Dilate, Operation::Erode, Operation::Close, Operation::Open];

impl PreviousStage {
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
        let (labels, planar) = (context.num_labels, context.is_2d());
        for (label, operation, radius) in self.draw(labels, random) {
            change_previous_stage(sample, labels, label, operation, radius, planar);
        }
        for label in self.draw_removals(labels, random) {
            self.remove(sample, labels, label, random);
        }
    }

    /// Labels with an operation and its radius, in the order in which they are changed.
    pub(crate) fn draw(&self, labels: usize, random: &mut RandomStream) -> Vec<(usize, Operation, f64)> {
        let p = (self.cascade_random_binary_transform_p, self.cascade_random_binary_transform_p_per_label);
        let chosen = some_labels(labels, p, random);
        let operation = |random: &mut RandomStream| OPERATIONS[random.below(OPERATIONS.len())];
        let radius = |random: &mut RandomStream| draw(self.cascade_random_binary_transform_size, random);
        chosen.into_iter().map(|label| (label, operation(random), radius(random))).collect()
    }

    /// Labels that may lose a component, in order.
    pub(crate) fn draw_removals(&self, labels: usize, random: &mut RandomStream) -> Vec<usize> {
        let p = (self.cascade_remove_conn_comp_p, self.cascade_remove_conn_comp_p_per_label);
        some_labels(labels, p, random)
    }

    /// Removes one of the small components of a label.
    fn remove(&self, sample: &mut Sample, labels: usize, label: usize, random: &mut RandomStream) {
        let first = sample.data.shape()[0] - labels;
        let mask = sample.data.index_axis(Axis(0), first + label).mapv(|value| value > 0.5);
        let found = connected_components_26(mask.view());
        let limit = mask.len() as f64 * self.cascade_remove_conn_comp_max_size_percent_threshold;
        let small: Vec<usize> =
            (0..found.sizes.len()).filter(|index| (found.sizes[*index] as f64) < limit).collect();
        let Some(chosen) = small.get(random.below(small.len())) else { return };
        let mut set = |label: usize, value: f32| {
            let mut channel = sample.data.index_axis_mut(Axis(0), first + label);
            channel.zip_mut_with(&found.labels, |voxel, component| {
                *voxel = if *component as usize == chosen + 1 { value } else { *voxel };
            });
        };
        set(label, 0.0);
        if labels > 1 && random.chance(self.cascade_remove_conn_comp_fill_with_other_class_p) {
            let other = random.below(labels - 1);
            set(if other < label { other } else { other + 1 }, 1.0);
        }
    }
}

/// With the first probability some labels in random order, each with the second one.
fn some_labels(labels: usize, (p, p_per_label): (f64, f64), random: &mut RandomStream) -> Vec<usize> {
    let order = if random.chance(p) { random.permutation(labels) } else { Vec::new() };
    order.into_iter().filter(|_| random.chance(p_per_label)).collect()
}

/// Applies an operation to the channel of one of the last `labels` channels, with a ball of a radius in voxels, or with
/// a disk in every plane if `planar`. Voxels that it adds are cleared in the other channels.
///
/// Source: batchgeneratorsv2 `ApplyRandomBinaryOperatorTransform`.
pub fn change_previous_stage(
    sample: &mut Sample,
    labels: usize,
    label: usize,
    operation: Operation,
    radius: f64,
    planar: bool,
) {
    let footprint = if planar { Footprint::centered_disk(radius) } else { Footprint::centered_ball(radius) };
    let first = sample.data.shape()[0] - labels;
    change_label(sample, first, label, labels, |mask: ArrayView3<'_, bool>| -> Array3<bool> {
        match operation {
            Operation::Dilate => footprint.dilate(mask),
            Operation::Erode => footprint.erode(mask),
            Operation::Close => footprint.erode(footprint.dilate(mask).view()),
            Operation::Open => footprint.dilate(footprint.erode(mask).view()),
        }
    });
}

#[cfg(test)]
mod tests {
    use ndarray::Array4;

    use super::*;

    fn sample() -> Sample {
        // Label 1: two components, of 8 and of 27 voxels; label 2: one of 300 voxels.
        let seg = Array4::from_shape_fn((2, 10, 10, 10), |(channel, z, y, x)| {
            let small = z < 2 && y < 2 && x < 2;
            let middle = (4..7).contains(&z) && (0..3).contains(&y) && (0..3).contains(&x);
            match channel {
                1 if small || middle => 1.0,
                1 if x >= 7 => 2.0,
                _ => 0.0,
            }
        });
        Sample { data: Array4::zeros((1, 10, 10, 10)), seg }
    }

    #[test]
    fn one_small_component_of_a_label_is_removed() {
        let context = AugmentationContext { patch: vec![10; 3], num_labels: 2, ..Default::default() };
        let stage = PreviousStage {
            cascade_random_binary_transform_p: 0.0,
            cascade_remove_conn_comp_p: 1.0,
            cascade_remove_conn_comp_p_per_label: 1.0,
            ..PreviousStage::default()
        };
        let mut left = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let mut sample = sample();
            stage.apply(&mut sample, &context, &mut RandomStream::from_seed(seed));
            left.insert(sample.data.index_axis(Axis(0), 1).sum() as usize);
            assert_eq!(sample.data.index_axis(Axis(0), 2).sum(), 300.0, "it covers more than 15 %");
        }
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [8, 27]);
    }

    #[test]
    fn a_removed_component_can_become_another_label() {
        let context = AugmentationContext { patch: vec![10; 3], num_labels: 2, ..Default::default() };
        let stage = PreviousStage {
            cascade_random_binary_transform_p: 0.0,
            cascade_remove_conn_comp_p: 1.0,
            cascade_remove_conn_comp_p_per_label: 1.0,
            cascade_remove_conn_comp_fill_with_other_class_p: 1.0,
            ..PreviousStage::default()
        };
        let mut sample = sample();
        stage.apply(&mut sample, &context, &mut RandomStream::from_seed(3));
        let total: f32 = (1..3).map(|channel| sample.data.index_axis(Axis(0), channel).sum()).sum();
        assert_eq!(total, 335.0);
    }
}
