//! What v1's plans say of a network.

use nnunet_plugin_api::NetworkSpec;
use nnunet_plugin_api::vocabulary::{Plans, Regions, Stage};

/// Convolutions per stage where plans do not say.
const CONV_PER_STAGE: usize = 2;

/// What a network for a stage must look like. In a cascade's `second_stage` it also sees the labels of the first.
pub(crate) fn spec(
    plans: &Plans,
    stage: &Stage,
    regions: Option<&Regions>,
    second_stage: bool,
) -> NetworkSpec {
    let further = if second_stage { plans.num_classes } else { 0 };
    NetworkSpec {
        num_input_channels: plans.num_modalities() + further,
        num_classes: regions.map_or(plans.num_classes + 1, |regions| regions.regions.len()),
        base_num_features: plans.base_num_features,
        conv_per_stage: plans.conv_per_stage.unwrap_or(CONV_PER_STAGE),
        patch_size: stage.patch_size.clone(),
        pool_op_kernel_sizes: stage.pool_op_kernel_sizes.clone(),
        conv_kernel_sizes: stage.conv_kernel_sizes.clone(),
        num_blocks_encoder: stage.num_blocks_encoder.clone(),
        num_blocks_decoder: stage.num_blocks_decoder.clone(),
    }
}

/// The stage a configuration uses: the first for slices and low resolution, the last otherwise.
pub(crate) fn stage_index(configuration: &str, plans: &Plans) -> usize {
    if matches!(configuration, "2d" | "3d_lowres") { 0 } else { plans.plans_per_stage.len() - 1 }
}
