//! The content of `network_architecture.pdf`.

use std::path::Path;

use anyhow::Result;
use nnunet_architectures::ParameterStore;
use nnunet_pictures::{Diagram, LayerRow, Level, NetworkShape, architecture};
use nnunet_plugin_api::NetworkSpec;
use nnunet_plugin_api::tch::Tensor;
use nnunet_training::Engine;

/// How the parameters of an encoder's stage begin, in v1's and v2's networks.
const STAGES: [&str; 2] = ["conv_blocks_context", "encoder.stages"];

/// Draws the engine's network.
pub(super) fn write(path: &Path, engine: &Engine, spec: &NetworkSpec) -> Result<()> {
    let parameters = engine.store.trainable().map(|parameter| parameter.tensor.numel()).sum();
    let diagram = Diagram {
        title: engine.trainer.blueprint.architecture.name.clone(),
        input_channels: spec.num_input_channels,
        output_channels: spec.num_classes,
        parameters,
        shape: shape(&engine.store, spec),
    };
    Ok(architecture(path, &diagram)?)
}

/// The network as it was built: a U-Net if its parameters are those of an encoder with the resolutions of the plans, else
/// a list of layers.
fn shape(store: &ParameterStore, spec: &NetworkSpec) -> NetworkShape {
    match levels(store, spec) {
        Some(levels) => NetworkShape::Unet(levels),
        None => NetworkShape::Layers(layers(store)),
    }
}

fn levels(store: &ParameterStore, spec: &NetworkSpec) -> Option<Vec<Level>> {
    let mut size = spec.patch_size.clone();
    // Residual plans have a first pooling of ones.
    let pools = spec.pool_op_kernel_sizes.iter().filter(|pool| pool.iter().any(|by| *by > 1));
    let pools: Vec<&Vec<usize>> = pools.collect();
    let stages = spec.conv_kernel_sizes.len();
    let mut levels = Vec::new();
    for stage in 0..stages {
        let weight = first_convolution(store, stage)?;
        let pool = pools.get(stage).map(|pool| (*pool).clone());
        let (features, kernel) = (Some(weight[0]), weight[2..].to_vec());
        levels.push(Level { features, size: size.clone(), kernel, pool: pool.clone() });
        size.iter_mut().zip(pool.into_iter().flatten()).for_each(|(len, by)| *len /= by.max(1));
    }
    first_convolution(store, stages).is_none().then_some(levels)
}

/// Shape of a stage's first convolution.
fn first_convolution(store: &ParameterStore, stage: usize) -> Option<Vec<usize>> {
    let prefixes = STAGES.map(|name| format!("{name}.{stage}."));
    let is_first = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let convolution =
        store.parameters().iter().find(|parameter| parameter.tensor.dim() > 3 && is_first(&parameter.name));
    convolution.map(|parameter| shape_of(&parameter.tensor))
}

fn shape_of(tensor: &Tensor) -> Vec<usize> {
    tensor.size().into_iter().map(|len| len as usize).collect()
}

/// The parameters of a module are a layer: `blocks.0.weight` and `blocks.0.bias` are `blocks.0`.
fn layers(store: &ParameterStore) -> Vec<LayerRow> {
    let mut layers: Vec<LayerRow> = Vec::new();
    for parameter in store.trainable() {
        let module = parameter.name.rsplit_once('.').map_or(&*parameter.name, |(module, _)| module);
        match layers.last_mut().filter(|layer| layer.name == module) {
            Some(layer) => layer.parameters += parameter.tensor.numel(),
            None => layers.push(LayerRow {
                name: module.to_owned(),
                weight: shape_of(&parameter.tensor),
                parameters: parameter.tensor.numel(),
            }),
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use nnunet_architectures::GenericUnet;
    use nnunet_plugin_api::tch::Device;
    use nnunet_plugin_api::{Architecture, Init, VarFactory};

    use super::*;

    fn spec() -> NetworkSpec {
        NetworkSpec {
            num_input_channels: 1,
            num_classes: 2,
            base_num_features: 4,
            conv_per_stage: 2,
            patch_size: vec![8, 16, 16],
            pool_op_kernel_sizes: vec![vec![1, 2, 2], vec![2, 2, 2]],
            conv_kernel_sizes: vec![vec![1, 3, 3], vec![3, 3, 3], vec![3, 3, 3]],
            num_blocks_encoder: None,
            num_blocks_decoder: None,
        }
    }

    #[test]
    fn features_and_sizes_of_every_stage_are_found() {
        let spec = spec();
        let mut store = ParameterStore::new(Device::Cpu);
        GenericUnet::default().build(&mut store, &spec).unwrap();
        let found: Vec<_> =
            levels(&store, &spec).unwrap().into_iter().map(|level| (level.features, level.size)).collect();
        let expected = [(Some(4), vec![8, 16, 16]), (Some(8), vec![8, 8, 8]), (Some(16), vec![4, 4, 4])];
        assert_eq!(found, expected);
        // One stage less than was built, and one more: it is not the network of these plans.
        let other =
            |stages: usize| NetworkSpec { conv_kernel_sizes: vec![vec![3; 3]; stages], ..spec.clone() };
        assert!(levels(&store, &other(2)).is_none() && levels(&store, &other(4)).is_none());
    }

    #[test]
    fn a_network_with_other_names_is_drawn_as_its_layers() {
        let spec = NetworkSpec { num_classes: 2, ..spec() };
        let mut store = ParameterStore::new(Device::Cpu);
        let zero = Init::Constant { value: 0.0 };
        let _ = store.parameter("stem.weight", &[4, 1, 3, 3, 3], zero.clone()).unwrap();
        let _ = store.parameter("stem.bias", &[4], zero.clone()).unwrap();
        let _ = store.parameter("head.weight", &[2, 4, 1, 1, 1], zero).unwrap();
        let row = |name: &str, weight: [usize; 5], parameters| LayerRow {
            name: name.to_owned(),
            weight: weight.to_vec(),
            parameters,
        };
        let expected = vec![row("stem", [4, 1, 3, 3, 3], 112), row("head", [2, 4, 1, 1, 1], 8)];
        assert_eq!(shape(&store, &spec), NetworkShape::Layers(expected));
    }
}
