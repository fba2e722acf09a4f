//! GPU memory estimates of networks, in v1's unit: voxels times features.

use crate::grid::voxels;

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

/// Blocks of `FabiansUNet`'s encoder, from full resolution to the bottleneck (v1 `default_blocks_per_stage_encoder`).
pub(crate) const ENCODER_BLOCKS: [usize; 11] = [1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4];
/// Blocks of its decoder, from the bottleneck to full resolution.
pub(crate) const DECODER_BLOCKS: [usize; 10] = [1; 10];

/// Estimate for `FabiansUNet` (v1 `compute_approx_vram_consumption` of its encoder and decoder). `pools` start with the
/// pooling of 1 before the first stage; map sizes are not truncated.
#[must_use]
pub fn residual_unet_vram(
    patch: &[usize],
    pools: &[Vec<usize>],
    (base_features, max_features): (usize, usize),
    (modalities, classes): (usize, usize),
    batch_size: usize,
) -> f64 {
    let poolings = pools.len().saturating_sub(1);
    let block = |blocks: &[usize], stage: usize| blocks[stage.min(blocks.len() - 1)];
    let mut map: Vec<f64> = patch.iter().map(|len| *len as f64).collect();
    let mut features = base_features;
    let mut total = (modalities + classes) as f64 * map.iter().product::<f64>();
    for stage in 0..=poolings {
        if stage > 0 {
            map.iter_mut().zip(&pools[stage]).for_each(|(len, by)| *len /= *by as f64);
            features = (2 * features).min(max_features);
        }
        let decoder = if stage < poolings { block(&DECODER_BLOCKS, stage) + 1 } else { 0 };
        let convolutions = 2 * block(&ENCODER_BLOCKS, stage) + 1 + decoder;
        total += (convolutions * features) as f64 * map.iter().product::<f64>();
    }
    total * batch_size as f64
}
