//! Forward values of an anisotropic network of v1 (`tests/golden/train_step/aniso3d_forward.*`).
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking")]

use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_plugin_api::tch::{Device, Tensor, no_grad};
use nnunet_plugin_api::{Architecture, NetworkSpec};
use nnunet_test_support::golden;

/// Largest difference of a logit; logits reach 5. Ten times what v1 differs from itself on other processors, 7.9e-6
/// (`tests/golden/recompute.py`).
const TOLERANCE: f64 = 8e-5;

/// Of the outputs every seventh value is stored.
const STRIDE: i64 = 7;

#[test]
fn anisotropic_networks_equal_those_of_v1() {
    let folder = golden("train_step");
    let spec = NetworkSpec {
        num_input_channels: 1,
        num_classes: 3,
        base_num_features: 8,
        conv_per_stage: 2,
        patch_size: vec![16, 64, 64],
        pool_op_kernel_sizes: vec![vec![1, 2, 2], vec![2, 2, 2], vec![1, 2, 2]],
        conv_kernel_sizes: vec![vec![1, 3, 3], vec![3; 3], vec![3; 3], vec![3; 3]],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    let mut store = ParameterStore::new(Device::Cpu);
    let network = GenericUnet::default().build(&mut store, &spec).unwrap();
    let all = Tensor::read_safetensors(folder.join("aniso3d_forward.safetensors")).unwrap();
    let get = |name: &str| all.iter().find(|(other, _)| other == name).unwrap().1.shallow_clone();
    for parameter in store.parameters() {
        let mut own = parameter.tensor.shallow_clone();
        no_grad(|| own.copy_(&get(&format!("state_dict/{}", parameter.name))));
    }
    // Frozen networks ask for other convolutions.
    for frozen in [false, true] {
        if frozen {
            store.freeze().unwrap();
        }
        let outputs = no_grad(|| network.forward(&get("input"), true)).unwrap();
        assert_eq!(outputs.len(), 3);
        for (i, output) in outputs.iter().enumerate() {
            let output = output.reshape([-1]).slice(0, None, None, STRIDE);
            let error = f64::try_from((output - get(&format!("output_{i}"))).abs().max()).unwrap();
            assert!(error <= TOLERANCE, "output {i} differs by {error}; frozen: {frozen}");
        }
    }
}
