//! The content of `network_architecture.pdf`.

use std::path::Path;

use anyhow::Result;
use nnunet_architectures::ParameterStore;
use nnunet_pictures::{Diagram, Level, architecture};
use nnunet_plugin_api::NetworkSpec;
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
        levels: levels(&engine.store, spec),
    };
    Ok(architecture(path, &diagram)?)
}

fn levels(store: &ParameterStore, spec: &NetworkSpec) -> Vec<Level> {
    let mut size = spec.patch_size.clone();
    // Residual plans have a first pooling of ones.
    let pools = spec.pool_op_kernel_sizes.iter().filter(|pool| pool.iter().any(|by| *by > 1));
    let pools: Vec<&Vec<usize>> = pools.collect();
    let mut levels = Vec::new();
    for (stage, kernel) in spec.conv_kernel_sizes.iter().enumerate() {
        let pool = pools.get(stage).map(|pool| (*pool).clone());
        levels.push(Level {
            features: features(store, stage),
            size: size.clone(),
            kernel: kernel.clone(),
            pool: pool.clone(),
        });
        size.iter_mut().zip(pool.into_iter().flatten()).for_each(|(len, by)| *len /= by.max(1));
    }
    levels
}

/// Output channels of a stage's first convolution.
fn features(store: &ParameterStore, stage: usize) -> Option<usize> {
    let prefixes = STAGES.map(|name| format!("{name}.{stage}."));
    let is_first = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let convolution =
        store.parameters().iter().find(|parameter| parameter.tensor.dim() > 3 && is_first(&parameter.name));
    convolution.map(|parameter| parameter.tensor.size()[0] as usize)
}

#[cfg(test)]
mod tests {
    use nnunet_architectures::GenericUnet;
    use nnunet_plugin_api::Architecture;
    use nnunet_plugin_api::tch::Device;

    use super::*;

    #[test]
    fn features_and_sizes_of_every_stage_are_found() {
        let spec = NetworkSpec {
            num_input_channels: 1,
            num_classes: 2,
            base_num_features: 4,
            conv_per_stage: 2,
            patch_size: vec![8, 16, 16],
            pool_op_kernel_sizes: vec![vec![1, 2, 2], vec![2, 2, 2]],
            conv_kernel_sizes: vec![vec![1, 3, 3], vec![3, 3, 3], vec![3, 3, 3]],
            num_blocks_encoder: None,
            num_blocks_decoder: None,
        };
        let mut store = ParameterStore::new(Device::Cpu);
        GenericUnet::default().build(&mut store, &spec).unwrap();
        let found: Vec<_> =
            levels(&store, &spec).into_iter().map(|level| (level.features, level.size)).collect();
        let expected = [(Some(4), vec![8, 16, 16]), (Some(8), vec![8, 8, 8]), (Some(16), vec![4, 4, 4])];
        assert_eq!(found, expected);
    }
}
