//! Dice plus cross entropy: nnU-Net's default (v1 `DC_and_CE_loss`).

use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cross_entropy::{CrossEntropyConfig, voxelwise};
use crate::dice::{DiceConfig, soft_dice, squared_dice};
use crate::precision::{log_softmax, precision};
use crate::target::ignoring;

/// Parameters of [`DiceCe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiceCeConfig {
    /// Weight of the cross entropy; 0 leaves it out.
    pub weight_ce: f64,
    /// Weight of the Dice; 0 leaves it out.
    pub weight_dice: f64,
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background in the Dice.
    pub do_bg: bool,
    /// Added to the Dice's numerator and denominator.
    pub smooth: f64,
    /// The Dice with squared terms.
    pub square_dice: bool,
    /// The negative logarithm of the Dice instead of the negative Dice.
    pub log_dice: bool,
    /// Voxels with this label are ignored.
    pub ignore_label: Option<i64>,
    /// Weights of the classes in the cross entropy.
    pub weight: Option<Vec<f32>>,
    /// From cross entropy alone to Dice alone between these two epochs; the weights then sum to 2.
    pub transition: Option<[usize; 2]>,
}

impl Default for DiceCeConfig {
    fn default() -> Self {
        Self {
            weight_ce: 1.0,
            weight_dice: 1.0,
            batch_dice: false,
            do_bg: false,
            smooth: 1e-5,
            square_dice: false,
            log_dice: false,
            ignore_label: None,
            weight: None,
            transition: None,
        }
    }
}

/// Weighted sum of soft Dice and cross entropy, from one log-softmax.
#[derive(Debug, Clone, Default)]
pub struct DiceCe {
    config: DiceCeConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "DC_and_CE_loss", "Soft Dice plus cross entropy, nnU-Net's default.");
    Component::loss(info.with_config::<DiceCeConfig>(), |config| {
        let config: DiceCeConfig = parse_config(config)?;
        if config.square_dice && config.ignore_label.is_some() {
            return Err(Error::parameter("ignore_label", "not together with square_dice"));
        }
        Ok(Box::new(DiceCe::new(config)))
    })
}));

impl DiceCe {
    /// With these parameters.
    #[must_use]
    pub fn new(config: DiceCeConfig) -> Self {
        Self { config }
    }

    fn dice(&self, probabilities: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let DiceCeConfig { batch_dice, do_bg, smooth, .. } = self.config;
        let config = DiceConfig { batch_dice, do_bg, smooth, ..DiceConfig::default() };
        let of = if self.config.square_dice { squared_dice } else { soft_dice };
        let dice = of(probabilities, target, mask, &config)?;
        Ok(if self.config.log_dice { dice.f_neg()?.f_log()?.f_neg()? } else { dice })
    }

    fn entropy(&self, log_probabilities: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let classes = CrossEntropyConfig { weight: self.config.weight.clone(), ignore_index: None };
        let Some(mask) = mask else {
            return voxelwise(log_probabilities, target, &classes, Reduction::Mean);
        };
        let each = voxelwise(log_probabilities, target, &classes, Reduction::None)?;
        let counted = each.f_mul(&mask.f_select(1, 0)?)?.f_sum(precision(&each))?;
        // Without any voxel that counts there is no loss.
        Ok(counted.f_div(&mask.f_sum(precision(mask))?.f_clamp_min(1.0)?)?)
    }
}

impl Loss for DiceCe {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let DiceCeConfig { weight_ce, weight_dice, .. } = self.config;
        let (target, mask) = ignoring(target, self.config.ignore_label)?;
        let log_probabilities = log_softmax(logits)?;
        let entropy = || self.entropy(&log_probabilities, &target, mask.as_ref());
        let dice = || self.dice(&log_probabilities.f_exp()?, &target, mask.as_ref());
        Ok(match (weight_ce != 0.0, weight_dice != 0.0) {
            (true, true) => entropy()? * weight_ce + dice()? * weight_dice,
            (true, false) => entropy()? * weight_ce,
            _ => dice()? * weight_dice,
        })
    }

    /// v1 sets the weights at the end of an epoch, by that epoch.
    fn epoch_begins(&mut self, epoch: usize) -> Result<()> {
        if let Some([from, to]) = self.config.transition {
            let done =
                epoch.saturating_sub(1).saturating_sub(from) as f64 / to.saturating_sub(from).max(1) as f64;
            self.config.weight_dice = 2.0 * done.min(1.0);
            self.config.weight_ce = 2.0 - self.config.weight_dice;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_is_that_of_v1() {
        let mut loss = DiceCe::new(DiceCeConfig { transition: Some([500, 750]), ..DiceCeConfig::default() });
        for (epoch, dice) in [(0, 0.0), (501, 0.0), (626, 1.0), (751, 2.0), (999, 2.0)] {
            loss.epoch_begins(epoch).unwrap();
            assert_eq!((loss.config.weight_dice, loss.config.weight_ce), (dice, 2.0 - dice), "epoch {epoch}");
        }
    }
}
