//! Transforms that only move voxels: mirroring, rotation by multiples of 90 degrees, transposed axes.

use ndarray::{Array4, Axis};
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mirrors each axis with probability 0.5. Source: `MirrorTransform`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mirror {
    /// Axes of the patch; if absent, the trainer's, or all.
    pub mirror_axes: Option<Vec<usize>>,
}

impl Mirror {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let all = || (0..context.patch.len()).collect();
        let axes = self.mirror_axes.clone().or_else(|| context.mirror_axes.clone()).unwrap_or_else(all);
        let first = first_axis(context);
        let drawn: Vec<usize> =
            axes.into_iter().map(|axis| axis + first).filter(|_| random.chance(0.5)).collect();
        mirror(&mut sample.data, &drawn);
        mirror(&mut sample.seg, &drawn);
    }
}

/// Axis 0 of a 2D patch is y.
fn first_axis(context: &AugmentationContext) -> usize {
    3 - context.patch.len().min(3)
}

/// Mirrors spatial axes (0 is z) in place.
pub fn mirror(array: &mut Array4<f32>, axes: &[usize]) {
    to_standard(array);
    let (_, nz, ny, nx) = array.dim();
    let [z, y, x] = [0, 1, 2].map(|axis| axes.contains(&axis));
    let Some(values) = array.as_slice_mut().filter(|values| !values.is_empty() && !axes.is_empty()) else {
        return;
    };
    for volume in values.chunks_mut(nz * ny * nx) {
        for row in 0..nz * ny {
            let (at_z, at_y) = (row / ny, row % ny);
            let partner = (if z { nz - 1 - at_z } else { at_z }) * ny + if y { ny - 1 - at_y } else { at_y };
            exchange(volume, nx, row, partner, x);
        }
    }
}

/// Exchanges two rows once, each turned round if asked for.
fn exchange(volume: &mut [f32], len: usize, row: usize, partner: usize, turn: bool) {
    if row < partner {
        let (before, after) = volume.split_at_mut(partner * len);
        before[row * len..(row + 1) * len].swap_with_slice(&mut after[..len]);
    }
    // The partner's turn comes when it is visited itself.
    if turn {
        volume[row * len..(row + 1) * len].reverse();
    }
}

fn to_standard(array: &mut Array4<f32>) {
    if !array.is_standard_layout() {
        *array = array.as_standard_layout().into_owned();
    }
}

/// Rotates samples by multiples of 90 degrees in the plane of two axes of equal length. Source: `Rot90Transform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rot90 {
    /// Probability per sample. No effect on patches without two axes of equal length.
    pub p_rot90: f64,
    /// Numbers of 90-degree rotations to choose from.
    pub rot90_turns: Vec<usize>,
}

impl Default for Rot90 {
    fn default() -> Self {
        Self { p_rot90: 0.5, rot90_turns: vec![0, 1, 2, 3] }
    }
}

impl Rot90 {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let Some(equal) = axes_to_exchange(context, self.p_rot90, random) else { return };
        let turns = self.rot90_turns.get(random.below(self.rot90_turns.len())).copied().unwrap_or(0);
        let order = random.permutation(equal.len());
        let (a, b) = (equal[order[0]].min(equal[order[1]]), equal[order[0]].max(equal[order[1]]));
        for array in [&mut sample.data, &mut sample.seg] {
            quarter_turns(array, (a, b), turns);
        }
    }
}

/// Rotates in the plane of two spatial axes, from the first towards the second (`np.rot90`).
pub fn quarter_turns(array: &mut Array4<f32>, (first, second): (usize, usize), turns: usize) {
    let (first, second) = (Axis(first + 1), Axis(second + 1));
    for _ in 0..turns % 4 {
        array.swap_axes(first.index(), second.index());
        array.invert_axis(first);
    }
    to_standard(array);
}

/// Transposes axes of equal length at random. Source: `TransposeAxesTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transpose {
    /// Probability per sample. No effect on patches without two axes of equal length.
    pub p_transpose: f64,
}

impl Default for Transpose {
    fn default() -> Self {
        Self { p_transpose: 0.5 }
    }
}

impl Transpose {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let Some(equal) = axes_to_exchange(context, self.p_transpose, random) else { return };
        let order = random.permutation(equal.len());
        let mut axes = [0, 1, 2, 3];
        for (to, from) in equal.iter().zip(order) {
            axes[to + 1] = equal[from] + 1;
        }
        for array in [&mut sample.data, &mut sample.seg] {
            transpose(array, axes);
        }
    }
}

/// Permutes the axes of (channels, z, y, x): axis `order[i]` becomes axis i.
pub fn transpose(array: &mut Array4<f32>, order: [usize; 4]) {
    *array = std::mem::take(array).permuted_axes(order);
    to_standard(array);
}

/// At least two axes of equal length, with a probability.
fn axes_to_exchange(
    context: &AugmentationContext,
    probability: f64,
    random: &mut RandomStream,
) -> Option<Vec<usize>> {
    let equal = equal_axes(context);
    (equal.len() > 1 && random.chance(probability)).then_some(equal)
}

/// Spatial axes (0 is z) that have the most frequent length of the patch; empty if all lengths differ.
fn equal_axes(context: &AugmentationContext) -> Vec<usize> {
    let patch = &context.patch;
    let alike = |len: &usize| patch.iter().filter(|other| *other == len).count();
    let most = patch.iter().map(alike).max().unwrap_or(0);
    let first = first_axis(context);
    (0..patch.len())
        .filter(|axis| most > 1 && alike(&patch[*axis]) == most)
        .map(|axis| axis + first)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turn_is_that_of_numpy() {
        let mut array = Array4::from_shape_fn((1, 1, 2, 2), |(_, _, y, x)| (y * 2 + x) as f32);
        quarter_turns(&mut array, (1, 2), 1);
        assert_eq!(array.iter().copied().collect::<Vec<_>>(), [1.0, 3.0, 0.0, 2.0]);
    }

    #[test]
    fn axes_of_different_lengths_stay() {
        let context = AugmentationContext { patch: vec![3, 4, 5], ..Default::default() };
        assert!(equal_axes(&context).is_empty());
    }

    /// Labels stay on their voxels, and no voxel is lost.
    #[test]
    fn images_and_labels_move_together() {
        let context = AugmentationContext { patch: vec![3, 4, 4], ..Default::default() };
        for seed in 0..20 {
            let array = Array4::from_shape_fn((1, 3, 4, 4), |(_, z, y, x)| (z * 16 + y * 4 + x) as f32);
            let mut sample = Sample { data: array.clone(), seg: array };
            let mut random = RandomStream::from_seed(seed);
            Rot90 { p_rot90: 1.0, ..Rot90::default() }.apply(&mut sample, &context, &mut random);
            Transpose { p_transpose: 1.0 }.apply(&mut sample, &context, &mut random);
            Mirror::default().apply(&mut sample, &context, &mut random);
            assert_eq!(sample.data, sample.seg);
            assert_eq!(sample.data.iter().sum::<f32>(), (0..48).sum::<i32>() as f32);
        }
    }
}
