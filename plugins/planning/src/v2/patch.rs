//! Patch, topology and batch size of a configuration.

use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_core::{Error, Result, V2Network, V2PlannerSettings};

use super::estimate::Network;
use crate::grid::voxels;
use crate::topology::{PoolAndConv, pool_and_conv_props_of_size};

/// Voxels of a 3D patch before it is clipped to the median case.
const START_VOXELS_3D: f64 = 256.0 * 256.0 * 256.0;
/// Pixels of a 2D patch.
const START_PIXELS_2D: f64 = 2048.0 * 2048.0;
/// Poolings are bounded by the size of the feature maps only.
const MAX_POOL: usize = 999_999;

/// What is known of the data before the patch is planned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid<'a> {
    /// Two or three axes.
    pub(super) spacing: &'a [f64],
    /// Of the median case.
    pub(super) median: &'a [f64],
    /// Of the whole data set at this resolution.
    pub(super) dataset_voxels: f64,
    /// Names in `dataset.json`.
    pub(super) labels: usize,
}

/// A patch that fits, and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    pub(super) size: Vec<usize>,
    pub(super) batch_size: usize,
    /// One a stage; the first is 1.
    pub(super) strides: Vec<Vec<usize>>,
    pub(super) kernels: Vec<Vec<usize>>,
    pub(super) features: Vec<usize>,
    pub(super) encoder: Vec<usize>,
    pub(super) decoder: Vec<usize>,
}

impl Patch {
    /// The network of a patch, without a batch size.
    fn new(settings: &V2PlannerSettings, props: PoolAndConv) -> Self {
        let first = vec![1; props.patch_size.len()];
        let strides: Vec<Vec<usize>> = std::iter::once(first).chain(props.pool_op_kernel_sizes).collect();
        let stages = strides.len();
        let most = if props.patch_size.len() == 2 {
            settings.max_num_features_2d
        } else {
            settings.max_num_features_3d
        };
        let features = |stage: usize| settings.base_num_features.saturating_mul(1 << stage).min(most);
        Self {
            size: props.patch_size,
            batch_size: 0,
            features: (0..stages).map(features).collect(),
            encoder: by_stage(&settings.blocks_encoder, stages),
            decoder: by_stage(&settings.blocks_decoder, stages - 1),
            strides,
            kernels: props.conv_kernel_sizes,
        }
    }

    fn feature_maps(&self, kind: V2Network, labels: usize) -> f64 {
        let Self { size, strides, features, encoder, decoder, .. } = self;
        Network { kind, features, strides, encoder, decoder, labels }.feature_maps(size)
    }
}

/// One number a stage; the last given holds for all further ones.
fn by_stage(given: &[usize], stages: usize) -> Vec<usize> {
    let of = |stage: usize| given.get(stage).or(given.last()).copied().unwrap_or(1);
    (0..stages).map(of).collect()
}

/// Plans the largest patch that fits into the GPU memory.
///
/// # Errors
/// Returns an error if a spacing is not positive, or if no patch fits into the memory target.
pub(super) fn plan(settings: &V2PlannerSettings, grid: &Grid<'_>) -> Result<Patch> {
    if grid.spacing.iter().any(|mm| !(mm.is_finite() && *mm > 0.0)) {
        return Err(Error::message(format!("the target spacing {:?} must be positive", grid.spacing)));
    }
    let (reference, batch) = if grid.spacing.len() == 2 {
        (settings.vram_reference_2d, settings.reference_batch_size_2d as f64)
    } else {
        (settings.vram_reference_3d, settings.reference_batch_size_3d as f64)
    };
    let reference = reference * (settings.gpu_memory_gb / settings.vram_reference_gb);
    let too_large = |estimate: f64| match settings.patch_for_batch_size {
        Some(smallest) => estimate / batch * smallest as f64 > reference,
        None => estimate > reference,
    };
    let of = |props: &PoolAndConv| {
        let patch = Patch::new(settings, props.clone());
        let estimate = patch.feature_maps(settings.network, grid.labels);
        (patch, estimate)
    };
    let mut props = topology(settings, grid, &start_size(grid));
    let (mut patch, mut estimate) = of(&props);
    while too_large(estimate) {
        props = shortened(settings, grid, &props)?;
        (patch, estimate) = of(&props);
    }
    let fits = round_half_even(reference / estimate * batch);
    let covers = round_half_even(grid.dataset_voxels * settings.max_batch_share / voxels(&patch.size));
    patch.batch_size = (fits.min(covers) as usize).max(settings.min_batch_size);
    Ok(patch)
}

/// Equal extent in mm on all axes, clipped to the median case.
fn start_size(grid: &Grid<'_>) -> Vec<f64> {
    let total = if grid.spacing.len() == 2 { START_PIXELS_2D } else { START_VOXELS_3D };
    let inverse: Vec<f64> = grid.spacing.iter().map(|mm| 1.0 / mm).collect();
    let scale = (total / inverse.iter().product::<f64>()).powf(1.0 / inverse.len() as f64);
    inverse.iter().zip(grid.median).map(|(edge, median)| round_half_even(edge * scale).min(*median)).collect()
}

fn topology(settings: &V2PlannerSettings, grid: &Grid<'_>, size: &[f64]) -> PoolAndConv {
    pool_and_conv_props_of_size(grid.spacing, size, settings.min_feature_map_edge, MAX_POOL)
}

/// The patch with the axis shortened that covers most of the median case; of equal axes the last. The step is what the
/// shorter patch must be divisible by, so that no size is skipped.
fn shortened(settings: &V2PlannerSettings, grid: &Grid<'_>, props: &PoolAndConv) -> Result<PoolAndConv> {
    let covered = |axis: usize| props.patch_size[axis] as f64 / grid.median[axis];
    let axis = (1..grid.spacing.len())
        .fold(0, |best, axis| if covered(axis) >= covered(best) { axis } else { best });
    let mut size: Vec<f64> = props.patch_size.iter().map(|len| *len as f64).collect();
    let full = size[axis];
    size[axis] -= props.must_be_divisible_by[axis] as f64;
    size[axis] = full - topology(settings, grid, &size).must_be_divisible_by[axis] as f64;
    if size[axis] < 1.0 {
        return Err(Error::message(format!(
            "no patch fits into {} GB of GPU memory; plan for more",
            settings.gpu_memory_gb
        )));
    }
    Ok(topology(settings, grid, &size))
}
