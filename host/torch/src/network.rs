//! Networks with their parameters, and the number format they compute in.

use std::path::Path;

use anyhow::{Result, ensure};
use nnunet_architectures::ParameterStore;
use nnunet_data::memory;
use nnunet_engine::registry::Registry;
use nnunet_plugin_api::tch::{Device, Kind};
use nnunet_plugin_api::vocabulary::{ComponentChoice, Precision};
use nnunet_plugin_api::{Network, NetworkSpec};
use nnunet_training::SecondNetworks;

use crate::components;

/// Builds a network whose parameters take at most so many bytes.
pub(crate) fn build(
    registry: &Registry,
    choice: &ComponentChoice,
    spec: &NetworkSpec,
    device: Device,
    most_bytes: u64,
) -> Result<(ParameterStore, Box<dyn Network>)> {
    build_in(ParameterStore::with_limit(device, most_bytes), registry, choice, spec)
}

/// Builds a network whose parameters come from a checkpoint; until then they have no values.
pub(crate) fn build_for(
    checkpoint: &Path,
    registry: &Registry,
    choice: &ComponentChoice,
    spec: &NetworkSpec,
    device: Device,
) -> Result<(ParameterStore, Box<dyn Network>)> {
    let store = ParameterStore::for_checkpoint(device, most_bytes_for(checkpoint));
    build_in(store, registry, choice, spec)
}

fn build_in(
    mut store: ParameterStore,
    registry: &Registry,
    choice: &ComponentChoice,
    spec: &NetworkSpec,
) -> Result<(ParameterStore, Box<dyn Network>)> {
    check_memory(spec, 1, store.device())?;
    let network = components::architecture(registry, choice)?.build(&mut store, spec)?;
    Ok((store, network))
}

/// What builds more networks of the same architecture, for trainers that have several.
pub(crate) fn second(
    registry: &Registry,
    choice: &ComponentChoice,
    spec: NetworkSpec,
    device: Device,
    most_bytes: u64,
) -> Result<SecondNetworks> {
    let architecture = components::architecture(registry, choice)?;
    Ok(SecondNetworks::new(Box::new(move || {
        let mut store = ParameterStore::with_limit(device, most_bytes);
        let network = architecture.build(&mut store, &spec)?;
        Ok((store, network))
    })))
}

/// Bytes of any small network.
const SMALL: u64 = 16 << 20;
/// Plans that are a little wrong get as far as the comparison with the checkpoint, which names the parameter.
const SLACK: u64 = 16;

/// Most bytes of the parameters of a network that belongs to a checkpoint: plans that are wrong must not fill the memory.
fn most_bytes_for(checkpoint: &Path) -> u64 {
    let bytes = std::fs::metadata(checkpoint).map_or(0, |file| file.len());
    bytes.saturating_mul(SLACK).saturating_add(SMALL)
}

/// Single-precision arrays of the first resolution's features that a network has at a time, at least.
const LEAST_ARRAYS: f64 = 2.0 * 4.0;

/// Asks whether a network can compute a batch of its patches at all; memory of a GPU is measured elsewhere.
pub(crate) fn check_memory(spec: &NetworkSpec, batch: usize, device: Device) -> Result<()> {
    let patch = &spec.patch_size;
    let features = spec.base_num_features;
    let voxels = patch.iter().map(|len| *len as f64).product::<f64>();
    let bytes = (voxels * batch as f64 * features as f64 * LEAST_ARRAYS) as u64;
    let free = memory::default_budget();
    ensure!(
        device != Device::Cpu || bytes <= free,
        "{batch} patches of {patch:?} voxels with {features} features take at least {}, and {} of memory are free; plan a \
         smaller patch_size or batch_size",
        memory::readable(bytes),
        memory::readable(free)
    );
    Ok(())
}

/// A number format as `--precision` calls it.
pub(crate) fn precision_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bf16",
        Kind::Half => "fp16",
        _ => "fp32",
    }
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
