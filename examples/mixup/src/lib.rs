//! A trainer that mixes the samples of a batch, images and labels (mixup, Zhang et al. 2018).

use nnunet_plugin_api::tch::{Device, Kind as Element, Tensor};
use nnunet_plugin_api::{
    Batch, Component, Info, Kind, Registration, Result, Trainer, Training, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "Mixup", "Samples of a batch are mixed, images and labels.");
    Component::trainer(info, |_config| Ok(Box::new(Mixup)))
}));

struct Mixup;

impl Trainer for Mixup {
    fn on_batch(&mut self, training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        let classes = training.progress()?.num_classes as i64;
        // libtorch's random numbers follow from seed and epoch.
        let share = f64::try_from(Tensor::f_rand([], (Element::Double, Device::Cpu))?)?;
        let order = Tensor::f_randperm(batch.data.size()[0], (Element::Int64, batch.data.device()))?;
        let mixed = |x: &Tensor| -> Result<Tensor> {
            Ok(x.f_mul_scalar(share)?.f_add(&x.f_index_select(0, &order)?.f_mul_scalar(1.0 - share)?)?)
        };
        batch.data = mixed(&batch.data)?;
        for target in &mut batch.targets {
            *target = mixed(&soft(target, classes)?)?;
        }
        Ok(())
    }
}

/// One channel of each class; regions have them already.
fn soft(target: &Tensor, classes: i64) -> Result<Tensor> {
    if target.is_floating_point() {
        return Ok(target.shallow_clone());
    }
    let mut shape = target.size();
    shape[1] = classes;
    let zeros = Tensor::f_zeros(&shape, (Element::Float, target.device()))?;
    Ok(zeros.f_scatter_value(1, target, 1.0)?)
}
