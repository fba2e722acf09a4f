//! Registered blocks, normalizations and nonlinearities within the U-Nets of v1 and v2.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::abi::abi_stable::std_types::RStr;
use nnunet_plugin_api::abi::v1::adapter::{contain, create as create_from, decode, offer_components};
use nnunet_plugin_api::abi::v1::{AbiResult, Created};
use nnunet_plugin_api::serde_json::{Value, json};
use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor};
use nnunet_plugin_api::{
    BlockSpec, Component, Config, Error, Info, Init, Kind, Layer, Network, NetworkSpec, Registration, Result,
    TensorFactories, VarFactory, inventory,
};

inventory::submit!(Registration(|| {
    Component::block(Info::new(Kind::Block, "Pooled", "Average pooling and a pointwise convolution."), |_| {
        Ok(Box::new(pooled))
    })
}));
inventory::submit!(Registration(|| {
    Component::block(Info::new(Kind::Block, "Scaled", "A factor for each feature."), |_| Ok(Box::new(scaled)))
}));
inventory::submit!(Registration(|| {
    Component::block(Info::new(Kind::Block, "Softplus", "Softplus."), |_| Ok(Box::new(softplus)))
}));

fn pooled(vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
    let shape = [&[spec.output as i64, spec.input as i64], vec![1; spec.kernel.len()].as_slice()].concat();
    let weight = vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.0 })?;
    let stride = spec.stride.iter().map(|step| *step as i64).collect();
    Ok(Box::new(Pooled { weight, stride }))
}

struct Pooled {
    weight: Tensor,
    stride: Vec<i64>,
}

impl Layer for Pooled {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        let (ones, zeros) = (vec![1; self.stride.len()], vec![0; self.stride.len()]);
        let none = None::<&Tensor>;
        let x = input.f_convolution(&self.weight, none, &self.stride, &zeros, &ones, false, &zeros, 1)?;
        Ok(x.f_tanh()?)
    }
}

fn scaled(vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
    assert_eq!((spec.input, spec.changes_shape()), (spec.output, false));
    let shape = [&[spec.output as i64], vec![1; spec.kernel.len()].as_slice()].concat();
    Ok(Box::new(Scaled(vars.parameter("scale", &shape, Init::Constant { value: 0.5 })?)))
}

struct Scaled(Tensor);

impl Layer for Scaled {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        Ok(input.f_mul(&self.0.f_to_kind(input.kind())?)?)
    }

    fn supports_half_precision(&self) -> bool {
        true
    }
}

fn softplus(_vars: &mut dyn VarFactory, _spec: &BlockSpec) -> Result<Box<dyn Layer>> {
    Ok(Box::new(Softplus))
}

struct Softplus;

impl Layer for Softplus {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        Ok(input.f_softplus()?)
    }
}

/// As the program makes registered components.
extern "C" fn create(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created> {
    contain(|| {
        let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
        let found = all.into_iter().find(|c| c.info.kind.as_str() == kind && name == *c.info.name);
        let component = found.ok_or_else(|| Error::message(format!("there is no {kind} `{name}`")))?;
        create_from(&component.factory, &decode(config.as_str())?)
    })
}

fn spec(axes: usize) -> NetworkSpec {
    NetworkSpec {
        num_input_channels: 1,
        num_classes: 3,
        base_num_features: 4,
        conv_per_stage: 2,
        patch_size: vec![8; axes],
        pool_op_kernel_sizes: vec![vec![2; axes]; 2],
        conv_kernel_sizes: vec![vec![3; axes]; 3],
        num_blocks_encoder: None,
        num_blocks_decoder: None,
    }
}

fn network(name: &str, axes: usize, replace: Value) -> Result<(ParameterStore, Box<dyn Network>)> {
    offer_components(create);
    let all = inventory::iter::<Registration>().map(|registration| (registration.0)());
    let component =
        all.into_iter().find(|c| c.info.kind == Kind::Architecture && c.info.name == name).unwrap();
    let config = Config::from_iter([("replace".to_owned(), replace)]);
    let mut store = ParameterStore::new(Device::Cpu);
    let architecture = component.factory.architecture().unwrap()(&config)?;
    let network = architecture.build(&mut store, &spec(axes))?;
    Ok((store, network))
}

const NETWORKS: [&str; 3] = ["Generic_UNet", "PlainConvUNet", "ResidualEncoderUNet"];

/// Every part of every network, in 2D and 3D: all parameters learn, and the names show where the parts are.
#[test]
fn blocks_and_their_parts_are_replaced() {
    for (part, block, names, supports_half) in [
        ("block", "Pooled", ["blocks.0.weight", "convs.0.weight", "blocks.0.weight"], false),
        ("norm", "Scaled", ["blocks.0.instnorm.scale", "convs.0.norm.scale", "conv1.norm.scale"], true),
        (
            "nonlinearity",
            "Softplus",
            ["blocks.0.conv.weight", "convs.0.conv.weight", "conv1.conv.weight"],
            false,
        ),
    ] {
        for (name, parameter) in NETWORKS.into_iter().zip(names) {
            for axes in [2, 3] {
                let (store, mut network) = network(name, axes, json!({ part: block })).unwrap();
                network.set_training(true).unwrap();
                let shape = [vec![2, 1], vec![8; axes]].concat();
                let input = Tensor::randn(shape, (Element::Float, Device::Cpu));
                let outputs = network.forward(&input, true).unwrap();
                assert_eq!(outputs[0].size(), [vec![2, 3], vec![8; axes]].concat(), "{name} {part}");
                let sum =
                    outputs.iter().map(|x| x.square().sum(Element::Float)).reduce(|a, b| a + b).unwrap();
                sum.backward();
                for parameter in store.trainable().filter(|one| !one.name.contains("stem")) {
                    assert!(parameter.tensor.grad().defined(), "{name} {part}: {}", parameter.name);
                }
                let named = store.parameters().iter().any(|one| one.name.ends_with(parameter));
                assert!(
                    named,
                    "{name} {part}: {:?}",
                    store.parameters().iter().map(|p| &p.name).collect::<Vec<_>>()
                );
                assert_eq!(network.supports_half_precision(), supports_half, "{name} {part}");
            }
        }
    }
}

#[test]
fn wrong_replacements_are_errors_before_a_network_is_built() {
    for (replace, part) in [
        (json!({ "block": "Nothing" }), "block Nothing of the host: there is no block `Nothing`"),
        (json!({ "block": "Pooled", "norm": "Scaled" }), "a block brings its own normalization"),
        (json!({ "blok": "Pooled" }), "blok"),
    ] {
        let error = network("Generic_UNet", 3, replace).map(drop).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

/// Without a replacement nothing changes: the parameters are v1's and v2's.
#[test]
fn nothing_is_replaced_by_default() {
    for name in NETWORKS {
        let (store, network) = network(name, 3, json!({})).unwrap();
        let is_norm = |name: &str| name.ends_with("instnorm.weight") || name.ends_with("norm.weight");
        assert!(store.parameters().iter().any(|parameter| is_norm(&parameter.name)), "{name}");
        assert!(network.supports_half_precision());
    }
}
