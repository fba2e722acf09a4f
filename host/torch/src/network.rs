//! Networks with their parameters, and the number format they compute in.

use anyhow::Result;
use nnunet_architectures::ParameterStore;
use nnunet_engine::registry::Registry;
use nnunet_plugin_api::tch::{Device, Kind};
use nnunet_plugin_api::vocabulary::{ComponentChoice, Precision};
use nnunet_plugin_api::{Network, NetworkSpec};

use crate::components;

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
