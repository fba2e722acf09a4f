//! `Generic_UNet` with a block of one's own before the last layer: features are weighted by what the whole patch shows
//! (squeeze and excitation, Hu et al. 2018).

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Architecture, Component, Config, Info, Init, Kind, Network, NetworkSpec, Registration, Result,
    VarFactory, export_plugin, host, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Architecture, "UnetWithExcitation", "Generic_UNet with weighted features.");
    Component::architecture(info, |_config| Ok(Box::new(UnetWithExcitation)))
}));

struct UnetWithExcitation;

impl Architecture for UnetWithExcitation {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let (features, classes) = (spec.base_num_features as i64, spec.num_classes as i64);
        let as_features = NetworkSpec { num_classes: spec.base_num_features, ..spec.clone() };
        let unet = host::architecture("Generic_UNet", &Config::new())?.build(vars, &as_features)?;
        let mut pointwise = |name: &str, shape: &[i64]| {
            vars.parameter(name, shape, Init::KaimingNormal { negative_slope: 0.0 })
        };
        let excite = pointwise("excite.weight", &[features, features])?;
        Ok(Box::new(Excited { unet, excite, head: pointwise("head.weight", &[classes, features])? }))
    }
}

struct Excited {
    unet: Box<dyn Network>,
    excite: Tensor,
    head: Tensor,
}

impl Network for Excited {
    fn forward(&self, input: &Tensor, deep_supervision: bool) -> Result<Vec<Tensor>> {
        let classify = |x: Tensor| -> Result<Tensor> {
            let space: Vec<i64> = (2..x.dim() as i64).collect();
            let weights =
                x.f_mean_dim(space.as_slice(), false, Element::Float)?.f_matmul(&self.excite)?.f_sigmoid()?;
            let shape = [&weights.size()[..], &vec![1; space.len()]].concat();
            let excited = x.f_mul(&weights.f_reshape(&shape)?)?.f_movedim_int(1, -1)?;
            Ok(excited.f_matmul(&self.head.f_tr()?)?.f_movedim_int(-1, 1)?)
        };
        self.unet.forward(input, deep_supervision)?.into_iter().map(classify).collect()
    }

    fn set_training(&mut self, training: bool) -> Result<()> {
        self.unet.set_training(training)
    }
}
