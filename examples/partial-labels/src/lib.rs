//! Labels that are missing in some cases: a class that a case's annotation lacks counts as background there (the marginal
//! loss of Shi et al. 2021).

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::{
    Component, Config, Error, Info, Kind, Loss, LossContext, LossInput, Registration, Result, Trainer,
    export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Trainer, "PartialLabels", "Classes may be missing in the labels of some cases.");
    Component::trainer(info, |_config| Ok(Box::new(PartialLabels)))
}));

struct PartialLabels;

impl Trainer for PartialLabels {
    fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        Ok(Some(Box::new(MarginalLoss)))
    }
}

struct MarginalLoss;

impl Loss for MarginalLoss {
    fn forward(&self, _logits: &Tensor, _target: &Tensor) -> Result<Tensor> {
        Err(Error::message("a marginal loss needs to know the cases"))
    }

    fn of_batch(&self, input: &LossInput<'_>) -> Result<Option<Tensor>> {
        let mut parts = Vec::new();
        for ((logits, target), weight) in input.outputs.iter().zip(input.targets).zip(input.weights) {
            for (sample, properties) in (0..).zip(input.properties) {
                let log_p = logits.f_narrow(0, sample, 1)?.f_log_softmax(1, Element::Float)?;
                let labels = target.f_select(1, 0)?.f_narrow(0, sample, 1)?;
                let merged = with_missing_in_background(&log_p, properties)?;
                let loss = merged.f_nll_loss_nd(&labels, None::<&Tensor>, Reduction::Mean, -100)?;
                parts.push(loss.f_mul_scalar(*weight / input.cases.len() as f64)?);
            }
        }
        Ok(Some(Tensor::f_stack(&parts, 0)?.f_sum(Element::Float)?))
    }
}

/// The probability of classes that the case's labels do not have is added to that of the background.
fn with_missing_in_background(log_p: &Tensor, properties: &Config) -> Result<Tensor> {
    let known = properties.get("classes").and_then(|classes| classes.as_array());
    let known: Vec<i64> =
        known.into_iter().flatten().filter_map(|class| Some(class.as_f64()? as i64)).collect();
    let classes = log_p.size()[1];
    let background: Vec<i64> = (0..classes).filter(|c| *c == 0 || !known.contains(c)).collect();
    let index = Tensor::f_from_slice(&background)?.f_to_device(log_p.device())?;
    let background = log_p.f_index_select(1, &index)?.f_logsumexp([1_i64].as_slice(), true)?;
    Ok(Tensor::f_cat(&[background, log_p.f_narrow(1, 1, classes - 1)?], 1)?)
}
