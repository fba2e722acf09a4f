//! MyBlock: a block of networks for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Block, BlockSpec, Component, Info, Init, Kind, Layer, Registration, Result, VarFactory, export_plugin,
    inventory, parse_config,
};

export_plugin!();

/// Its parameters: `replace = { block = { name = "MyBlock", groups = 8 } }` of an architecture.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyBlock {
    /// Groups of features that are normalized together.
    #[schemars(range(min = 1))]
    groups: usize,
}

impl Default for MyBlock {
    fn default() -> Self {
        Self { groups: 4 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Block, "MyBlock", "Convolution, group norm and SiLU.");
    Component::block(info.with_config::<MyBlock>(), |config| Ok(Box::new(parse_config::<MyBlock>(config)?)))
}));

impl Block for MyBlock {
    /// Parameters are made through `vars`: the host saves and trains them.
    fn build(&self, vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
        let axes = |values: &[usize]| values.iter().map(|value| *value as i64).collect::<Vec<i64>>();
        let (kernel, output) = (axes(&spec.kernel), spec.output as i64);
        let shape = [&[output, spec.input as i64], kernel.as_slice()].concat();
        Ok(Box::new(MyLayer {
            weight: vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.0 })?,
            scale: vars.parameter("scale", &[output], Init::Constant { value: 1.0 })?,
            shift: vars.parameter("shift", &[output], Init::Constant { value: 0.0 })?,
            stride: axes(&spec.stride),
            padding: kernel.iter().map(|len| len / 2).collect(),
            groups: self.groups.min(spec.output) as i64,
        }))
    }
}

struct MyLayer {
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
    stride: Vec<i64>,
    padding: Vec<i64>,
    groups: i64,
}

impl Layer for MyLayer {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        let (ones, zeros) = (vec![1; self.stride.len()], vec![0; self.stride.len()]);
        let none: Option<&Tensor> = None;
        let x = input.f_convolution(
            &self.weight,
            none,
            &self.stride,
            &self.padding,
            &ones,
            false,
            &zeros,
            1,
        )?;
        Ok(x.f_group_norm(self.groups, Some(&self.scale), Some(&self.shift), 1e-5, false)?.f_silu()?)
    }
}

#[cfg(test)]
mod tests {
    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
