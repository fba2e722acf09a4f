//! MyArchitecture: a network for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Architecture, Component, Info, Init, Kind, Network, NetworkSpec, Registration, Result, VarFactory,
    export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `architecture = { name = "MyArchitecture", layers = 4 }` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyArchitecture {
    /// Convolutions before the last one.
    #[schemars(range(min = 1))]
    layers: usize,
}

impl Default for MyArchitecture {
    fn default() -> Self {
        Self { layers: 2 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Architecture, "MyArchitecture", "Convolutions at full resolution.");
    Component::architecture(info.with_config::<MyArchitecture>(), |config| {
        Ok(Box::new(parse_config::<MyArchitecture>(config)?))
    })
}));

const SLOPE: f64 = 0.01;

impl Architecture for MyArchitecture {
    /// Parameters are made through `vars`: the host saves and trains them.
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let axes = spec.patch_size.len();
        let mut channels = spec.num_input_channels;
        let mut layers = Vec::new();
        for i in 0..=self.layers {
            let last = i == self.layers;
            let out = if last { spec.num_classes } else { spec.base_num_features };
            let mut shape = vec![out as i64, channels as i64];
            shape.extend(vec![if last { 1 } else { 3 }; axes]);
            let init = Init::KaimingNormal { negative_slope: SLOPE };
            layers.push(Layer {
                weight: vars.parameter(&format!("layers.{i}.weight"), &shape, init)?,
                bias: vars.parameter(&format!("layers.{i}.bias"), &[out as i64], Init::Constant { value: 0.0 })?,
                padding: vec![if last { 0 } else { 1 }; axes],
            });
            channels = out;
        }
        Ok(Box::new(MyNetwork { layers }))
    }
}

struct Layer {
    weight: Tensor,
    bias: Tensor,
    padding: Vec<i64>,
}

struct MyNetwork {
    layers: Vec<Layer>,
}

impl Network for MyNetwork {
    /// input: (batch, channels, patch...). Returns logits (batch, classes, patch...), full resolution first.
    fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
        let mut x = input.shallow_clone();
        for (i, layer) in self.layers.iter().enumerate() {
            let ones = vec![1; layer.padding.len()];
            let none = vec![0; layer.padding.len()];
            let bias = Some(&layer.bias);
            x = x.f_convolution(&layer.weight, bias, &ones, &layer.padding, &ones, false, &none, 1)?;
            if i + 1 < self.layers.len() {
                x = x.f_relu()?;
            }
        }
        Ok(vec![x])
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_test::Training;

    use super::*;

    #[test]
    fn the_network_learns() {
        let losses = Training::default().architecture(&MyArchitecture::default()).run(20).unwrap();
        assert!(losses[19] < losses[0], "{losses:?}");
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
