//! Memory estimate of a network, in v1's unit: voxels times features.

/// Estimate for `Generic_UNet` (v1 `compute_approx_vram_consumption`). `pools` are the pooling kernels; map sizes are
/// truncated, as v1's integer arrays are.
#[must_use]
pub fn generic_unet_vram(
    patch: &[usize],
    pools: &[Vec<usize>],
    (base_features, max_features): (usize, usize),
    (modalities, classes): (usize, usize),
    conv_per_stage: usize,
) -> f64 {
    let voxels = crate::voxels;
    let blocks_up_and_down = 2 * conv_per_stage + 1;
    let full = voxels(patch);
    let mut total = (blocks_up_and_down * base_features + modalities + classes) as f64 * full;
    let (mut map, mut features) = (patch.to_vec(), base_features);
    for (level, pool) in pools.iter().enumerate() {
        map.iter_mut().zip(pool).for_each(|(len, by)| *len /= by);
        features = (2 * features).min(max_features);
        let blocks = if level + 1 < pools.len() { blocks_up_and_down } else { conv_per_stage };
        total += (blocks * features) as f64 * voxels(&map);
    }
    total
}
