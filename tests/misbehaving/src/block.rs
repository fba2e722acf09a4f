//! A block within `Generic_UNet` that goes wrong on request.

use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor, no_grad_guard};
use nnunet_plugin_api::{
    Block, BlockSpec, Component, Info, Init, Kind, Layer, Registration, Result, VarFactory, inventory,
};

use crate::{fault, for_ever, until_cancelled};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Block, "OddBlock", "A convolution.");
    Component::block(info, |_| {
        assert_ne!(fault(), "block_create", "as requested");
        Ok(Box::new(OddBlock))
    })
}));

struct OddBlock;

impl Block for OddBlock {
    fn build(&self, vars: &mut dyn VarFactory, spec: &BlockSpec) -> Result<Box<dyn Layer>> {
        assert_ne!(fault(), "block_build", "as requested");
        let axes = |values: &[usize]| values.iter().map(|value| *value as i64).collect::<Vec<i64>>();
        let shape = [&[spec.output as i64, spec.input as i64], &axes(&spec.kernel)[..]].concat();
        let weight = vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.0 })?;
        Ok(Box::new(OddLayer { weight, stride: axes(&spec.stride) }))
    }
}

struct OddLayer {
    weight: Tensor,
    stride: Vec<i64>,
}

impl Layer for OddLayer {
    fn forward(&self, input: &Tensor, _training: bool) -> Result<Tensor> {
        let padding: Vec<i64> = self.weight.size()[2..].iter().map(|len| len / 2).collect();
        let (ones, zeros, none) = (vec![1; padding.len()], vec![0; padding.len()], None::<&Tensor>);
        let output =
            input.f_convolution(&self.weight, none, &self.stride, &padding, &ones, false, &zeros, 1)?;
        match fault().as_str() {
            "block_panic" => panic!("the layer panics as requested"),
            "block_nan" => Ok(output.f_mul_scalar(f64::NAN)?),
            "block_shape" => Ok(output.f_narrow(2, 0, 1)?),
            "block_dtype" => Ok(output.f_to_kind(Element::Int64)?),
            "block_device" => Ok(Tensor::f_zeros(output.size(), (Element::Float, Device::Cuda(0)))?),
            "block_no_grad" => {
                std::mem::forget(no_grad_guard());
                Ok(output.f_relu()?)
            }
            "block_endless" => Err(until_cancelled()),
            "block_deaf" => for_ever(),
            _ => Ok(output.f_relu()?),
        }
    }

    fn supports_half_precision(&self) -> bool {
        assert_ne!(fault(), "block_half", "as requested");
        false
    }
}
