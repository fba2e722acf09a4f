//! From plans to a network with its parameters.

use anyhow::Result;
use nnunet_architectures::ParameterStore;
use nnunet_engine::registry::Registry;
use nnunet_plugin_api::tch::{Device, Kind};
use nnunet_plugin_api::vocabulary::{ComponentChoice, Plans, Precision, Regions, Stage};
use nnunet_plugin_api::{Network, NetworkSpec};

use crate::components;

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

/// Builds a network.
pub(crate) fn build(
    registry: &Registry,
    choice: &ComponentChoice,
    spec: &NetworkSpec,
    device: Device,
) -> Result<(ParameterStore, Box<dyn Network>)> {
    let mut store = ParameterStore::new(device);
    let network = components::architecture(registry, choice)?.build(&mut store, spec)?;
    Ok((store, network))
}

/// The number format a network computes in.
pub(crate) fn kind(precision: Precision, network: &dyn Network, device: Device) -> Kind {
    if !network.supports_half_precision() {
        return Kind::Float;
    }
    match (precision, device) {
        (Precision::Fp16, Device::Cuda(_)) => Kind::Half,
        (Precision::Bf16, _) | (Precision::Auto, Device::Cuda(_)) => Kind::BFloat16,
        _ => Kind::Float,
    }
}

/// The stage a configuration uses: the first for slices and low resolution, the last otherwise.
pub(crate) fn stage_index(configuration: &str, plans: &Plans) -> usize {
    if matches!(configuration, "2d" | "3d_lowres") { 0 } else { plans.plans_per_stage.len() - 1 }
}
