//! Pooling operations and kernel sizes from spacing and patch size (v1 `experiment_planning.common_utils`).

use nnunet_plugin_core::{PlannerSettings, Topology};

/// Network topology.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolAndConv {
    /// Number of pooling operations per axis.
    pub num_pool_per_axis: Vec<usize>,
    /// Kernel of each pooling operation.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Convolution kernel at each resolution.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// The patch, padded to a multiple of `must_be_divisible_by`.
    pub patch_size: Vec<usize>,
    /// Divisor of the patch size per axis.
    pub must_be_divisible_by: Vec<usize>,
}

/// Axes whose spacings differ by less than this factor are pooled together.
const SAME_SPACING: f64 = 2.0;
/// A single remaining axis is pooled only while its size is at least this multiple of the minimum.
const LONE_AXIS_EDGES: f64 = 3.0;
/// Ratio of spacings above which two axes count as isotropic.
const REACHED: f64 = 0.5;

/// Pooling operations and kernels according to the planner's settings.
pub(crate) fn topology(settings: &PlannerSettings, spacing: &[f64], patch: &[usize]) -> PoolAndConv {
    let rule = match settings.topology {
        Topology::SpacingBased => pool_and_conv_props,
        Topology::SpacingBasedV2 => pool_and_conv_props_v2,
        Topology::PoolLate => pool_and_conv_props_pool_late,
    };
    let mut props = rule(spacing, patch, settings.min_feature_map_edge, settings.max_num_pool);
    if settings.all_conv_3 {
        props.conv_kernel_sizes.iter_mut().for_each(|kernel| kernel.fill(3));
    }
    props
}

/// A topology while it is built, from full resolution to the bottleneck.
struct Pyramid {
    spacing: Vec<f64>,
    size: Vec<f64>,
    count: Vec<usize>,
    pools: Vec<Vec<usize>>,
    kernels: Vec<Vec<usize>>,
}

impl Pyramid {
    fn new(spacing: &[f64], size: &[f64]) -> Self {
        Self {
            spacing: spacing.to_vec(),
            size: size.to_vec(),
            count: vec![0; spacing.len()],
            pools: Vec::new(),
            kernels: Vec::new(),
        }
    }

    fn axes(&self) -> std::ops::Range<usize> {
        0..self.spacing.len()
    }

    fn pool(&mut self, axes: &[usize], kernel: Vec<usize>) {
        for axis in axes {
            self.count[*axis] += 1;
            self.spacing[*axis] *= 2.0;
            self.size[*axis] = (self.size[*axis] / 2.0).ceil();
        }
        self.pools.push(self.axes().map(|axis| if axes.contains(&axis) { 2 } else { 1 }).collect());
        self.kernels.push(kernel);
    }

    fn finish(mut self, patch: &[f64]) -> PoolAndConv {
        self.kernels.push(vec![3; patch.len()]);
        let divisible: Vec<usize> = self.count.iter().map(|count| 1 << count).collect();
        let padded = |len: f64, by: usize| (len / by as f64).ceil() as usize * by;
        PoolAndConv {
            num_pool_per_axis: self.count,
            pool_op_kernel_sizes: self.pools,
            conv_kernel_sizes: self.kernels,
            patch_size: patch.iter().zip(&divisible).map(|(len, by)| padded(*len, *by)).collect(),
            must_be_divisible_by: divisible,
        }
    }
}

fn floats(patch: &[usize]) -> Vec<f64> {
    patch.iter().map(|len| *len as f64).collect()
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

/// Pools axes of similar spacing together until feature maps become too small; kernels are 3 within the largest group
/// of similar axes and 1 outside (v1 `get_pool_and_conv_props`).
#[must_use]
pub fn pool_and_conv_props(
    spacing: &[f64],
    patch: &[usize],
    min_edge: usize,
    max_pool: usize,
) -> PoolAndConv {
    let size = floats(patch);
    let mut pyramid = Pyramid::new(spacing, &size);
    loop {
        let finest = least(pyramid.spacing.iter().copied());
        let group = similar_axes(&pyramid.spacing);
        let valid: Vec<usize> = pyramid
            .axes()
            .filter(|axis| pyramid.spacing[*axis] / finest < SAME_SPACING)
            .filter(|axis| pyramid.size[*axis] >= 2.0 * min_edge as f64 && pyramid.count[*axis] < max_pool)
            .collect();
        if valid.is_empty() {
            return pyramid.finish(&size);
        }
        let kernel = pyramid.axes().map(|axis| if group.contains(&axis) { 3 } else { 1 }).collect();
        pyramid.pool(&valid, kernel);
    }
}

/// The largest set of axes whose spacing is within a factor of two of one axis; the first one in case of a tie.
fn similar_axes(spacing: &[f64]) -> Vec<usize> {
    let near = |a: f64, b: f64| a / b < SAME_SPACING && b / a < SAME_SPACING;
    let mut best = Vec::new();
    for a in spacing {
        let group: Vec<usize> = (0..spacing.len()).filter(|b| near(*a, spacing[*b])).collect();
        if group.len() > best.len() {
            best = group;
        }
    }
    best
}

/// The same among the axes that are still large enough, so that an axis that cannot be pooled any more does not stop
/// the others; kernels stay 3 once an axis is isotropic (v1 `get_pool_and_conv_props_v2`).
#[must_use]
pub fn pool_and_conv_props_v2(
    spacing: &[f64],
    patch: &[usize],
    min_edge: usize,
    max_pool: usize,
) -> PoolAndConv {
    pool_and_conv_props_of_size(spacing, &floats(patch), min_edge, max_pool)
}

/// As [`pool_and_conv_props_v2`], for a size that need not be whole: that of a median case is not.
pub(crate) fn pool_and_conv_props_of_size(
    spacing: &[f64],
    patch: &[f64],
    min_edge: usize,
    max_pool: usize,
) -> PoolAndConv {
    let mut pyramid = Pyramid::new(spacing, patch);
    let mut kernel = vec![1; spacing.len()];
    loop {
        let long: Vec<usize> =
            pyramid.axes().filter(|axis| pyramid.size[*axis] >= 2.0 * min_edge as f64).collect();
        let finest = least(long.iter().map(|axis| pyramid.spacing[*axis]));
        let valid: Vec<usize> = long
            .into_iter()
            .filter(|axis| pyramid.spacing[*axis] / finest < SAME_SPACING && pyramid.count[*axis] < max_pool)
            .collect();
        let ends = match valid[..] {
            [] => true,
            [axis] => pyramid.size[axis] < LONE_AXIS_EDGES * min_edge as f64,
            _ => false,
        };
        if ends {
            return pyramid.finish(patch);
        }
        let finest = least(pyramid.spacing.iter().copied());
        for axis in pyramid.axes().filter(|axis| pyramid.spacing[*axis] / finest < SAME_SPACING) {
            kernel[axis] = 3;
        }
        pyramid.pool(&valid, kernel.clone());
    }
}

/// As many pooling operations as the size of an axis allows, at the lowest resolutions; kernels are 3 on coarse axes
/// until all are alike (v1 `get_pool_and_conv_props_poolLateV2`).
#[must_use]
pub fn pool_and_conv_props_pool_late(
    spacing: &[f64],
    patch: &[usize],
    min_edge: usize,
    max_pool: usize,
) -> PoolAndConv {
    let reach = spacing.iter().copied().fold(0.0, f64::max);
    let halvings = |len: usize| ((len as f64 / min_edge as f64).ln() / std::f64::consts::LN_2).floor();
    let counts: Vec<usize> =
        patch.iter().map(|len| (halvings(*len).max(0.0) as usize).min(max_pool)).collect();
    let levels = counts.iter().copied().max().unwrap_or(0);
    let size = floats(patch);
    let mut pyramid = Pyramid::new(spacing, &size);
    for level in 0..levels {
        let reached: Vec<bool> = pyramid.spacing.iter().map(|spacing| spacing / reach > REACHED).collect();
        let all = reached.iter().all(|reached| *reached);
        let kernel = reached.iter().map(|reached| if all || !reached { 3 } else { 1 }).collect();
        let axes: Vec<usize> = pyramid.axes().filter(|axis| counts[*axis] + level >= levels).collect();
        pyramid.pool(&axes, kernel);
    }
    pyramid.finish(&size)
}
