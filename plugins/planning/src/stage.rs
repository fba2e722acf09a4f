//! One stage of the plans: patch size, network topology and batch size.

use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_core::vocabulary::{Fingerprint, Stage};
use nnunet_plugin_core::{Error, PlannerSettings, Result, Shorten, StartPatch, VramEstimate};

use crate::grid::{Grid, rounded, voxels};
use crate::topology::{PoolAndConv, topology};
use crate::vram::{DECODER_BLOCKS, ENCODER_BLOCKS, generic_unet_vram, residual_unet_vram};

/// Edge of the initial isotropic patch.
const START_EDGE: f64 = 512.0;
/// Number of features that v1 uses in its first estimate for 2D, independent of the network.
const FIRST_2D_FEATURES: usize = 30;
/// Memory in GB of the GPU for which v1 measured its reference value.
const REFERENCE_GB: f64 = 8.0;
/// Factor by which the spacing grows in the search for the low-resolution stage.
const LOWRES_STEP: f64 = 1.01;

/// The properties of the data set that determine a stage.
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

/// A patch and the network topology that follows from it.
struct Patch<'a> {
    settings: &'a PlannerSettings,
    data: &'a DataSet,
    spacing: Vec<f64>,
    median: Vec<usize>,
    props: PoolAndConv,
    vram: f64,
}

impl<'a> Patch<'a> {
    /// Computes topology, padded patch and memory estimate of `start`, with `features`.
    fn new(
        settings: &'a PlannerSettings,
        data: &'a DataSet,
        spacing: &[f64],
        median: &[usize],
        start: &[usize],
        features: usize,
    ) -> Self {
        let props = topology(settings, spacing, start);
        let mut patch =
            Self { settings, data, spacing: spacing.to_vec(), median: median.to_vec(), props, vram: 0.0 };
        // v1 estimates a residual network with the patch before padding at first.
        let residual = settings.vram_estimate == VramEstimate::FabiansUNet;
        let size = if residual { start.to_vec() } else { patch.props.patch_size.clone() };
        patch.vram = patch.estimate(&size, features);
        patch
    }

    fn topology(&self, size: &[usize]) -> PoolAndConv {
        topology(self.settings, &self.spacing, size)
    }

    fn estimate(&self, size: &[usize], features: usize) -> f64 {
        let (data, settings) = (self.data, self.settings);
        let features = (features, settings.max_num_features);
        let channels = (data.modalities, data.classes);
        match settings.vram_estimate {
            VramEstimate::GenericUnet => {
                let pools = &self.props.pool_op_kernel_sizes;
                generic_unet_vram(size, pools, features, channels, settings.conv_per_stage)
            }
            VramEstimate::FabiansUNet => {
                residual_unet_vram(size, &self.pools(), features, channels, settings.min_batch_size)
            }
        }
    }

    /// Pooling kernels, as in the plans.
    fn pools(&self) -> Vec<Vec<usize>> {
        let pools = &self.props.pool_op_kernel_sizes;
        match self.settings.vram_estimate {
            VramEstimate::GenericUnet => pools.clone(),
            VramEstimate::FabiansUNet => {
                std::iter::once(vec![1; self.spacing.len()]).chain(pools.iter().cloned()).collect()
            }
        }
    }

    /// Reduces the patch, one axis at a time, until the network fits into memory.
    fn shrink_to(&mut self, reference: f64) -> Result<()> {
        let too_large = || {
            Error::message(
                "no patch fits into the memory of the plans; raise gpu_memory_gb or lower base_num_features",
            )
        };
        while self.vram > reference {
            let axis = self.axis_to_shorten().ok_or_else(too_large)?;
            let size = self.props.patch_size.clone();
            let mut shorter = size.clone();
            shorter[axis] = shorter[axis].saturating_sub(self.props.must_be_divisible_by[axis]);
            let step = self.topology(&shorter).must_be_divisible_by[axis];
            let mut next = size;
            next[axis] = next[axis].checked_sub(step).filter(|len| *len > 0).ok_or_else(too_large)?;
            self.props = self.topology(&next);
            self.vram = self.estimate(&self.props.patch_size, self.settings.base_num_features);
        }
        Ok(())
    }

    fn axis_to_shorten(&self) -> Option<usize> {
        let size = &self.props.patch_size;
        let lengths = || size.iter().map(|len| *len as f64);
        let measure: Vec<f64> = match self.settings.shorten {
            Shorten::Never => return None,
            Shorten::CoversMost => lengths().zip(&self.median).map(|(len, all)| len / *all as f64).collect(),
            Shorten::LongestInMm => lengths().zip(&self.spacing).map(|(len, mm)| len * mm).collect(),
            Shorten::MostVoxels if size.iter().all(|len| *len == size[0]) => self.spacing.clone(),
            Shorten::MostVoxels => lengths().collect(),
        };
        Some(last_largest(&measure))
    }

    /// The batch size: as many samples as fit, limited to a fraction of the voxels of the data set.
    fn batch_size(&self, reference: f64, dataset_voxels: f64) -> usize {
        let (settings, least) = (self.settings, self.settings.min_batch_size);
        let times = reference / self.vram;
        let fits = if settings.whole_batches {
            times.floor() as usize * least
        } else {
            (times * least as f64).floor() as usize
        };
        let share = settings.max_batch_share * dataset_voxels / voxels(&self.props.patch_size);
        // In v1 the minimum batch size takes precedence over this limit in 3D, but not in 2D.
        let share = (round_half_even(share) as usize).max(if settings.dimensions == 3 { least } else { 0 });
        fits.min(share).max(1)
    }

    fn into_stage(self, batch: usize, current: [f64; 3], original: [f64; 3], median: [usize; 3]) -> Stage {
        let threshold = self.settings.anisotropy_threshold;
        let pools = self.pools();
        let residual = self.settings.vram_estimate == VramEstimate::FabiansUNet;
        let blocks = |all: &[usize], stages: usize| residual.then(|| all[..stages.min(all.len())].to_vec());
        let patch = &self.props.patch_size;
        let longest = patch.iter().copied().max().unwrap_or(0);
        Stage {
            batch_size: batch,
            do_dummy_2d_data_aug: patch.len() == 3 && longest as f64 / patch[0] as f64 > threshold,
            num_blocks_encoder: blocks(&ENCODER_BLOCKS, pools.len()),
            num_blocks_decoder: blocks(&DECODER_BLOCKS, pools.len() - usize::from(residual)),
            num_pool_per_axis: self.props.num_pool_per_axis,
            patch_size: self.props.patch_size,
            median_patient_size_in_voxels: median,
            current_spacing: current,
            original_spacing: original,
            pool_op_kernel_sizes: pools,
            conv_kernel_sizes: self.props.conv_kernel_sizes,
        }
    }
}

fn last_largest(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, axis| if values[axis] >= values[best] { axis } else { best })
}

/// The memory that the planner may use, in v1's unit.
fn reference(settings: &PlannerSettings) -> f64 {
    settings.gpu_memory_gb.map_or(settings.vram_reference, |gb| settings.vram_reference * gb / REFERENCE_GB)
}

/// A 3D stage at `spacing`; `full` is the grid at full resolution.
pub(crate) fn plan_3d(
    settings: &PlannerSettings,
    data: &DataSet,
    spacing: [f64; 3],
    full: &Grid,
) -> Result<Stage> {
    let median = rounded(std::array::from_fn(|axis| full.spacing[axis] / spacing[axis] * full.shape[axis]));
    let dataset_voxels = voxels(&median) * data.cases as f64;
    let start = match settings.start_patch {
        StartPatch::Isotropic => isotropic_patch(spacing, median),
        StartPatch::MedianCase => median,
    };
    let mut patch = Patch::new(settings, data, &spacing, &median, &start, settings.base_num_features);
    let reference = reference(settings);
    patch.shrink_to(reference)?;
    let batch = patch.batch_size(reference, dataset_voxels);
    Ok(patch.into_stage(batch, spacing, full.spacing, median))
}

/// A patch of equal extent in mm along all axes, at least 512 voxels per axis, clipped to the median case.
fn isotropic_patch(spacing: [f64; 3], median: [usize; 3]) -> [usize; 3] {
    let inverse = spacing.map(|s| 1.0 / s);
    let mean = inverse.iter().sum::<f64>() / 3.0;
    let relative = inverse.map(|value| value / mean);
    let least = relative.iter().copied().fold(f64::INFINITY, f64::min);
    std::array::from_fn(|axis| {
        (round_half_even(relative[axis] * START_EDGE / least) as usize).min(median[axis])
    })
}

/// The 2D stage.
pub(crate) fn plan_2d(settings: &PlannerSettings, data: &DataSet, grid: &Grid) -> Result<Stage> {
    let median = rounded(grid.shape);
    let dataset_voxels = voxels(&median) * data.cases as f64;
    let (spacing, slice) = (&grid.spacing[1..], &median[1..]);
    let mut patch = Patch::new(settings, data, spacing, slice, slice, FIRST_2D_FEATURES);
    let reference = reference(settings);
    patch.shrink_to(reference)?;
    let batch = patch.batch_size(reference, dataset_voxels);
    Ok(patch.into_stage(batch, grid.spacing, grid.spacing, median))
}

/// The low-resolution stage, whose patch covers enough of the median case: spacings grow in steps of 1 %, the finest
/// axes first.
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
