//! One stage of the plans: patch, network topology and batch size (planning.md 5 and 8 of v1's behaviour).

use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_api::vocabulary::{Fingerprint, Stage};
use nnunet_plugin_api::{Error, PlannerSettings, Result, Topology, VramEstimate};

use crate::topology::{PoolAndConv, pool_and_conv_props};
use crate::vram::generic_unet_vram;
use crate::{Grid, rounded, voxels};

/// Edge of an isotropic patch to start from.
const START_EDGE: f64 = 512.0;
/// Features for which v1 makes its first estimate of a 2D patch, whatever the network has.
const FIRST_2D_FEATURES: usize = 30;
/// Memory of the card v1's reference was measured on.
const REFERENCE_GB: f64 = 8.0;
/// Growth of coarse spacings while a low resolution is sought.
const LOWRES_STEP: f64 = 1.01;

/// What a stage needs to know of the data set.
pub(crate) struct DataSet {
    cases: usize,
    modalities: usize,
    classes: usize,
}

impl DataSet {
    pub(crate) fn of(fingerprint: &Fingerprint) -> Self {
        Self {
            cases: fingerprint.all_sizes.len(),
            modalities: fingerprint.modalities.len(),
            classes: fingerprint.all_classes.len() + 1,
        }
    }
}

/// A patch under construction.
struct Patch<'a> {
    settings: &'a PlannerSettings,
    data: &'a DataSet,
    spacing: Vec<f64>,
    median: Vec<usize>,
    props: PoolAndConv,
    vram: f64,
}

impl<'a> Patch<'a> {
    fn new(
        settings: &'a PlannerSettings,
        data: &'a DataSet,
        spacing: &[f64],
        median: &[usize],
        start: &[usize],
        features: usize,
    ) -> Result<Self> {
        if settings.topology != Topology::SpacingBased || settings.vram_estimate != VramEstimate::GenericUnet
        {
            return Err(Error::parameter(
                "topology",
                "only `spacing_based` for `Generic_UNet` is planned so far",
            ));
        }
        let props = pool_and_conv_props(spacing, start, settings.min_feature_map_edge, settings.max_num_pool);
        let mut patch =
            Self { settings, data, spacing: spacing.to_vec(), median: median.to_vec(), props, vram: 0.0 };
        patch.vram = patch.estimate(features);
        Ok(patch)
    }

    fn topology(&self, size: &[usize]) -> PoolAndConv {
        pool_and_conv_props(
            &self.spacing,
            size,
            self.settings.min_feature_map_edge,
            self.settings.max_num_pool,
        )
    }

    fn estimate(&self, features: usize) -> f64 {
        let (data, settings) = (self.data, self.settings);
        let PoolAndConv { patch_size, pool_op_kernel_sizes, .. } = &self.props;
        let features = (features, settings.max_num_features);
        generic_unet_vram(
            patch_size,
            pool_op_kernel_sizes,
            features,
            (data.modalities, data.classes),
            settings.conv_per_stage,
        )
    }

    /// Shortens the axis that covers most of the median case until the network fits into memory.
    fn shrink_to(&mut self, reference: f64) -> Result<()> {
        while self.vram > reference {
            let size = self.props.patch_size.clone();
            let covered: Vec<f64> =
                size.iter().zip(&self.median).map(|(len, median)| *len as f64 / *median as f64).collect();
            let axis = last_largest(&covered);
            let mut shorter = size.clone();
            shorter[axis] = shorter[axis].saturating_sub(self.props.must_be_divisible_by[axis]);
            let step = self.topology(&shorter).must_be_divisible_by[axis];
            let mut next = size;
            next[axis] = next[axis].checked_sub(step).filter(|len| *len > 0).ok_or_else(|| {
                Error::message("no patch fits into the memory of the plans; raise gpu_memory_gb or lower base_num_features")
            })?;
            self.props = self.topology(&next);
            self.vram = self.estimate(self.settings.base_num_features);
        }
        Ok(())
    }

    /// Batches never cover more than a share of the data set.
    fn max_batch(&self, dataset_voxels: f64) -> usize {
        round_half_even(self.settings.max_batch_share * dataset_voxels / voxels(&self.props.patch_size))
            as usize
    }

    fn into_stage(self, batch: usize, current: [f64; 3], original: [f64; 3], median: [usize; 3]) -> Stage {
        let threshold = self.settings.anisotropy_threshold;
        let patch = &self.props.patch_size;
        let longest = patch.iter().copied().max().unwrap_or(0);
        Stage {
            batch_size: batch,
            do_dummy_2d_data_aug: patch.len() == 3 && longest as f64 / patch[0] as f64 > threshold,
            num_pool_per_axis: self.props.num_pool_per_axis,
            patch_size: self.props.patch_size,
            median_patient_size_in_voxels: median,
            current_spacing: current,
            original_spacing: original,
            pool_op_kernel_sizes: self.props.pool_op_kernel_sizes,
            conv_kernel_sizes: self.props.conv_kernel_sizes,
            num_blocks_encoder: None,
            num_blocks_decoder: None,
        }
    }
}

fn last_largest(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, axis| if values[axis] >= values[best] { axis } else { best })
}

/// The planner's memory, in v1's unit.
fn reference(settings: &PlannerSettings) -> f64 {
    settings.gpu_memory_gb.map_or(settings.vram_reference, |gb| settings.vram_reference * gb / REFERENCE_GB)
}

/// A stage of volumes at `spacing`; `full` is the full-resolution grid.
pub(crate) fn plan_3d(
    settings: &PlannerSettings,
    data: &DataSet,
    spacing: [f64; 3],
    full: &Grid,
) -> Result<Stage> {
    let median = rounded(std::array::from_fn(|axis| full.spacing[axis] / spacing[axis] * full.shape[axis]));
    let dataset_voxels = voxels(&median) * data.cases as f64;
    let mut patch = Patch::new(
        settings,
        data,
        &spacing,
        &median,
        &start_patch(spacing, median),
        settings.base_num_features,
    )?;
    let reference = reference(settings);
    patch.shrink_to(reference)?;
    let fits = ((reference / patch.vram).max(1.0) * settings.min_batch_size as f64).floor() as usize;
    let batch = fits.min(patch.max_batch(dataset_voxels).max(settings.min_batch_size)).max(1);
    Ok(patch.into_stage(batch, spacing, full.spacing, median))
}

/// A patch of equal extent in mm on all axes, no axis shorter than 512 voxels, clipped to the median case.
fn start_patch(spacing: [f64; 3], median: [usize; 3]) -> [usize; 3] {
    let inverse = spacing.map(|s| 1.0 / s);
    let mean = inverse.iter().sum::<f64>() / 3.0;
    let relative = inverse.map(|value| value / mean);
    let least = relative.iter().copied().fold(f64::INFINITY, f64::min);
    std::array::from_fn(|axis| {
        (round_half_even(relative[axis] * START_EDGE / least) as usize).min(median[axis])
    })
}

/// The stage of slices.
pub(crate) fn plan_2d(settings: &PlannerSettings, data: &DataSet, grid: &Grid) -> Result<Stage> {
    let median = rounded(grid.shape);
    let dataset_voxels = voxels(&median) * data.cases as f64;
    let mut patch =
        Patch::new(settings, data, &grid.spacing[1..], &median[1..], &median[1..], FIRST_2D_FEATURES)?;
    let reference = reference(settings);
    patch.shrink_to(reference)?;
    let fits = (reference / patch.vram).floor() as usize * settings.min_batch_size;
    if fits < settings.min_batch_size {
        return Err(Error::message(
            "the slices are too large for the memory of the plans; raise gpu_memory_gb",
        ));
    }
    let batch = fits.min(patch.max_batch(dataset_voxels)).max(1);
    Ok(patch.into_stage(batch, grid.spacing, grid.spacing, median))
}

/// A coarser stage whose patch sees enough of the median case: coarse spacings grow by 1 % at a time, fine axes first.
pub(crate) fn plan_lowres(
    settings: &PlannerSettings,
    data: &DataSet,
    full: &Grid,
    fullres: &Stage,
) -> Result<Stage> {
    let mut spacing = full.spacing;
    let mut patch_voxels = voxels(&fullres.patch_size);
    let mut case_voxels: f64 = full.shape.iter().product();
    let mut low = fullres.clone();
    while case_voxels > settings.lowres_threshold * patch_voxels {
        let coarsest = spacing.iter().copied().fold(0.0, f64::max);
        let fine = spacing.map(|s| coarsest / s > 2.0);
        let all = !fine.contains(&true);
        spacing.iter_mut().zip(fine).filter(|(_, fine)| all || *fine).for_each(|(s, _)| *s *= LOWRES_STEP);
        case_voxels = (0..3).map(|axis| full.spacing[axis] / spacing[axis] * full.shape[axis]).product();
        low = plan_3d(settings, data, spacing, full)?;
        patch_voxels = voxels(&low.patch_size);
    }
    Ok(low)
}
