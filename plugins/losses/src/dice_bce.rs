//! Dice plus binary cross entropy of overlapping regions (v1 `DC_and_BCE_loss`).

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dice::{DiceConfig, soft_dice};
use crate::precision::precision;
use crate::target::Nonlinearity;

/// Parameters of [`DiceBce`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiceBceConfig {
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the first region in the Dice.
    pub do_bg: bool,
    /// Added to the Dice's numerator and denominator.
    pub smooth: f64,
    /// The last channel of the target is a mask of voxels that are ignored.
    pub use_ignore_label: bool,
}

impl Default for DiceBceConfig {
    fn default() -> Self {
        Self { batch_dice: false, do_bg: true, smooth: 0.0, use_ignore_label: false }
    }
}

/// Sum of the soft Dice of the sigmoid and the mean binary cross entropy.
#[derive(Debug, Clone, Copy)]
pub struct DiceBce {
    config: DiceBceConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "DC_and_BCE_loss", "Soft Dice plus binary cross entropy, for regions.");
    Component::loss(info.with_config::<DiceBceConfig>(), |config| {
        Ok(Box::new(DiceBce { config: parse_config(config)? }))
    })
}));

impl DiceBce {
    /// The target of the regions, and a mask (batch, 1, space...) of the voxels that count where some are ignored.
    fn split(&self, target: &Tensor) -> Result<(Tensor, Option<Tensor>)> {
        if !self.config.use_ignore_label {
            return Ok((target.shallow_clone(), None));
        }
        let regions = target.size()[1] - 1;
        let ignored = target.f_narrow(1, regions, 1)?.f_to_kind(Element::Float)?;
        Ok((target.f_narrow(1, 0, regions)?, Some(1.0 - ignored)))
    }
}

impl Loss for DiceBce {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (target, counted) = self.split(target)?;
        if target.size() != logits.size() {
            let got = format!("{:?}", target.size());
            return Err(Error::shape(
                "DC_and_BCE_loss",
                format!("{:?}, one channel of each region", logits.size()),
                got,
            ));
        }
        let DiceBceConfig { batch_dice, do_bg, smooth, .. } = self.config;
        let logits = logits.f_to_kind(precision(logits))?;
        let target = target.f_to_kind(logits.kind())?;
        let none = None::<&Tensor>;
        let entropy = match &counted {
            None => logits.f_binary_cross_entropy_with_logits(&target, none, none, Reduction::Mean)?,
            // As in v2 the sum over all regions is divided by the number of voxels.
            Some(counted) => {
                let each = logits.f_binary_cross_entropy_with_logits(&target, none, none, Reduction::None)?;
                let sum = each.f_mul(counted)?.f_sum(logits.kind())?;
                sum.f_div(&counted.f_sum(logits.kind())?.f_clamp_min(1.0)?)?
            }
        };
        let apply_nonlin = Nonlinearity::Sigmoid;
        let config = DiceConfig { apply_nonlin, batch_dice, do_bg, smooth, ignore_label: None };
        Ok(entropy.f_add(&soft_dice(&apply_nonlin.apply(&logits)?, &target, counted.as_ref(), &config)?)?)
    }
}
