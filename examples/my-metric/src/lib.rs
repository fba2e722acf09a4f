//! A metric: how far the volume of the foreground is wrong, and a trainer whose best checkpoint is the one where it is
//! smallest.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{
    Component, Info, Kind, Metric, MetricInput, Registration, Result, Tally, Trainer, TrainerContext,
    export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Metric, "VolumeError", "Wrong part of the volume of each sample's foreground.");
    Component::metric(info, |_config| Ok(Box::new(VolumeError)))
}));

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Trainer, "ByVolume", "The best checkpoint is that of the smallest error of volume.");
    Component::trainer(info, |_config| Ok(Box::new(ByVolume)))
}));

struct ByVolume;

impl Trainer for ByVolume {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.metrics.push(ComponentChoice::named("VolumeError"));
        blueprint.best_metric = Some("VolumeError".to_owned());
        Ok(())
    }
}

struct VolumeError;

impl Metric for VolumeError {
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        let samples = input.logits.size()[0];
        let volumes = |labels: Tensor| -> Result<Tensor> {
            let foreground = labels.f_gt(0)?.f_reshape([samples, -1])?;
            Ok(foreground.f_sum_dim_intlist([1_i64].as_slice(), false, Element::Double)?)
        };
        let (found, truth) =
            (volumes(input.logits.f_argmax(1, true)?)?, volumes(input.target.shallow_clone())?);
        let wrong = found.f_sub(&truth)?.f_abs()?.f_sum(Element::Double)?;
        let all = truth.f_sum(Element::Double)?;
        Ok(vec![Tally::new("foreground", f64::try_from(wrong)?, f64::try_from(all)?)])
    }

    fn larger_is_better(&self) -> bool {
        false
    }
}
