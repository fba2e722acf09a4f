//! A loss of registered parts: nnU-Net's Dice, and a boundary loss of this plugin (Bokhovkin and Burnaev 2019).

use nnunet_plugin_api::serde_json::json;
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{
    Component, Info, Kind, Loss, Registration, Result, Trainer, TrainerContext, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "BoundaryLoss", "Overlap of the boundaries of predictions and labels.");
    Component::loss(info, |_config| Ok(Box::new(BoundaryLoss)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Trainer, "DiceBoundary", "Soft Dice plus half a boundary loss.");
    Component::trainer(info, |_config| Ok(Box::new(DiceBoundary)))
}));

struct DiceBoundary;

impl Trainer for DiceBoundary {
    fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        blueprint.loss = ComponentChoice::named("WeightedSum");
        blueprint.loss.parameters.insert("parts".to_owned(), json!(["SoftDiceLoss", "BoundaryLoss"]));
        blueprint.loss.parameters.insert("weights".to_owned(), json!([1.0, 0.5]));
        Ok(())
    }
}

struct BoundaryLoss;

impl Loss for BoundaryLoss {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let p = logits.f_softmax(1, Element::Float)?;
        let truth = p.f_zeros_like()?.f_scatter_value(1, target, 1.0)?;
        let [p, truth] = [boundary(&p)?, boundary(&truth)?];
        let space: Vec<i64> = (2..p.dim() as i64).collect();
        let sum = |x: &Tensor| x.f_sum_dim_intlist(space.as_slice(), false, Element::Float);
        let dice = (sum(&p.f_mul(&truth)?)? * 2.0 + 1.0) / (sum(&p)? + sum(&truth)? + 1.0);
        Ok(dice.f_narrow(1, 1, logits.size()[1] - 1)?.f_mean(Element::Float)?.f_neg()? + 1.0)
    }
}

/// What a class loses when it is eroded by a voxel.
fn boundary(mask: &Tensor) -> Result<Tensor> {
    let outside = mask.f_neg()? + 1.0;
    let grown = if mask.dim() == 5 {
        outside.f_max_pool3d([3; 3], [1; 3], [1; 3], [1; 3], false)?
    } else {
        outside.f_max_pool2d([3; 2], [1; 2], [1; 2], [1; 2], false)?
    };
    Ok(grown.f_sub(&outside)?)
}
