//! The block of MedNeXt (Roy et al. 2023), which any U-Net of nnU-Net takes as `replace = { block = "MedNeXtBlock" }`, and
//! a U-Net that has it: depthwise convolution, normalization, and two pointwise convolutions over twice the features.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    BlockSpec, Component, Config, Info, Init, Kind, Layer, Registration, Result, VarFactory, export_plugin,
    host, inventory, serde_json::json,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Block, "MedNeXtBlock", "Depthwise and pointwise convolutions, like MedNeXt.");
    Component::block(info, |_config| Ok(Box::new(build)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Architecture, "MedNeXt", "PlainConvUNet of the blocks of MedNeXt.");
    let config = Config::from_iter([("replace".to_owned(), json!({ "block": "MedNeXtBlock" }))]);
    Component::architecture(info, move |_config| host::architecture("PlainConvUNet", &config))
}));

fn build(vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
    let [kernel, stride] = [&spec.kernel, &spec.stride].map(|all| all.iter().map(|n| *n as i64).collect());
    let (input, output, ones) = (spec.input as i64, spec.output as i64, vec![1; spec.kernel.len()]);
    let mut convolution = |name: &str, features: [i64; 2], kernel: &Vec<i64>, stride: &Vec<i64>| {
        let he = Init::KaimingNormal { negative_slope: 0.0 };
        let weight = vars.parameter(&format!("{name}.weight"), &[&features[..], kernel].concat(), he)?;
        Ok::<_, nnunet_plugin_api::Error>(Convolution(weight, stride.clone()))
    };
    let depthwise = convolution("depthwise", [input, 1], &kernel, &stride)?;
    let expand = convolution("expand", [2 * output, input], &ones, &ones)?;
    let reduce = convolution("reduce", [output, 2 * output], &ones, &ones)?;
    let skip = spec.changes_shape().then(|| convolution("skip", [output, input], &ones, &stride));
    Ok(Box::new(MedNeXtBlock([depthwise, expand, reduce], skip.transpose()?)))
}

/// Weight and stride.
struct Convolution(Tensor, Vec<i64>);

impl Convolution {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let padding: Vec<i64> = self.0.size()[2..].iter().map(|len| len / 2).collect();
        let (ones, zeros, groups) =
            (vec![1; padding.len()], vec![0; padding.len()], x.size()[1] / self.0.size()[1]);
        Ok(x.f_convolution(&self.0, None::<&Tensor>, &self.1, &padding, &ones, false, &zeros, groups)?)
    }
}

struct MedNeXtBlock([Convolution; 3], Option<Convolution>);

impl Layer for MedNeXtBlock {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        let Self([depthwise, expand, reduce], skip) = self;
        let (x, none) = (depthwise.forward(input)?, None::<&Tensor>);
        let x = expand.forward(&x.f_group_norm(x.size()[1], none, none, 1e-5, false)?)?;
        let around = skip.as_ref().map_or(Ok(input.shallow_clone()), |skip| skip.forward(input))?;
        Ok(reduce.forward(&x.f_gelu("none")?)?.f_add(&around)?)
    }
}
