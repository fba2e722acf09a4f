//! Seconds of one training step and one forward pass of the hippocampus network, by number format and memory layout.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a measurement run by hand")]

use std::time::Instant;

use nnunet_architectures::{GenericUnet, ParameterStore};
use nnunet_losses::{DiceCe, DiceCeConfig, deep_supervision_loss, deep_supervision_weights};
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Architecture, NetworkSpec};

fn main() {
    let spec = NetworkSpec {
        num_input_channels: 1,
        num_classes: 3,
        base_num_features: 8,
        conv_per_stage: 2,
        patch_size: vec![40, 56, 40],
        pool_op_kernel_sizes: vec![vec![2, 2, 2]; 3],
        conv_kernel_sizes: vec![vec![3, 3, 3]; 4],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    };
    for (name, channels_last, kind) in [
        ("fp32 contiguous", false, Kind::Float),
        ("fp32 channels last", true, Kind::Float),
        ("bf16 contiguous", false, Kind::BFloat16),
        ("bf16 channels last", true, Kind::BFloat16),
    ] {
        let mut store = ParameterStore::new(Device::Cpu);
        let network = GenericUnet::default().build(&mut store, &spec).unwrap();
        if channels_last {
            for parameter in store.parameters() {
                let mut data = parameter.tensor.detach();
                if channels_last && data.dim() == 5 {
                    data = channels_last_3d(&data);
                }
                let mut tensor = parameter.tensor.shallow_clone();
                no_grad(|| tensor.set_data(&data));
            }
        }
        let mut x = Tensor::randn([9, 1, 40, 56, 40], (kind, Device::Cpu));
        if channels_last {
            x = channels_last_3d(&x);
        }
        let targets: Vec<Tensor> = (0..3)
            .map(|i| Tensor::randint(3, [9, 1, 40 >> i, 56 >> i, 40 >> i], (Kind::Int64, Device::Cpu)))
            .collect();
        let weights = deep_supervision_weights(3, false);
        let loss = DiceCe::new(DiceCeConfig { batch_dice: true, ..Default::default() });
        let mut times = vec![];
        let mut parts = [0.0; 3];
        for _ in 0..4 {
            let start = Instant::now();
            let outputs = network.forward(&x, true).unwrap();
            let forward = start.elapsed().as_secs_f64();
            let value = deep_supervision_loss(&loss, &outputs, &targets, &weights).unwrap();
            let with_loss = start.elapsed().as_secs_f64();
            value.backward();
            let all = start.elapsed().as_secs_f64();
            parts = [forward, with_loss - forward, all - with_loss];
            times.push(all);
        }
        let start = Instant::now();
        no_grad(|| network.forward(&x, false).unwrap());
        let inference = start.elapsed().as_secs_f64();
        println!(
            "{name}: step {:.3} s (forward {:.3}, loss {:.3}, backward {:.3}); inference {inference:.3} s",
            times[3], parts[0], parts[1], parts[2]
        );
    }
}

fn channels_last_3d(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 4, 1]).contiguous().permute([0, 4, 1, 2, 3])
}
