//! Poolings and kernels of the network from spacing and patch size (v1 `get_pool_and_conv_props`).

/// What follows from a spacing and a patch.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolAndConv {
    /// Poolings per axis.
    pub num_pool_per_axis: Vec<usize>,
    /// Kernel of every pooling.
    pub pool_op_kernel_sizes: Vec<Vec<usize>>,
    /// Kernel of every resolution.
    pub conv_kernel_sizes: Vec<Vec<usize>>,
    /// The patch, padded so that every pooling divides it.
    pub patch_size: Vec<usize>,
    /// What the patch must be divisible by.
    pub must_be_divisible_by: Vec<usize>,
}

/// Axes whose spacings differ by less than this factor are treated alike.
const SAME_SPACING: f64 = 2.0;

/// Pools axes of similar spacing together until feature maps become too small; kernels are 3 within the largest group
/// of similar axes and 1 outside.
#[must_use]
pub fn pool_and_conv_props(
    spacing: &[f64],
    patch: &[usize],
    min_edge: usize,
    max_pool: usize,
) -> PoolAndConv {
    let axes = spacing.len();
    let mut spacing = spacing.to_vec();
    let mut size: Vec<f64> = patch.iter().map(|len| *len as f64).collect();
    let mut count = vec![0_usize; axes];
    let (mut pools, mut kernels) = (Vec::new(), Vec::new());
    loop {
        let finest = spacing.iter().copied().fold(f64::INFINITY, f64::min);
        let group = similar_axes(&spacing);
        let valid: Vec<bool> = (0..axes)
            .map(|axis| {
                spacing[axis] / finest < SAME_SPACING
                    && size[axis] >= 2.0 * min_edge as f64
                    && count[axis] < max_pool
            })
            .collect();
        if !valid.contains(&true) {
            break;
        }
        for axis in (0..axes).filter(|axis| valid[*axis]) {
            count[axis] += 1;
            spacing[axis] *= 2.0;
            size[axis] = (size[axis] / 2.0).ceil();
        }
        pools.push(valid.iter().map(|valid| if *valid { 2 } else { 1 }).collect());
        kernels.push((0..axes).map(|axis| if group.contains(&axis) { 3 } else { 1 }).collect());
    }
    kernels.push(vec![3; axes]);
    let divisible: Vec<usize> = count.iter().map(|count| 1 << count).collect();
    PoolAndConv {
        num_pool_per_axis: count,
        pool_op_kernel_sizes: pools,
        conv_kernel_sizes: kernels,
        patch_size: patch.iter().zip(&divisible).map(|(len, by)| len.div_ceil(*by) * by).collect(),
        must_be_divisible_by: divisible,
    }
}

/// The largest set of axes within a factor of two of one axis; the first such set on ties.
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
