//! Dice plus cross entropy: nnU-Net's default (v1 `DC_and_CE_loss`).

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use serde::{Deserialize, Serialize};

use crate::cross_entropy::voxelwise;
use crate::dice::{DiceConfig, soft_dice};

/// Parameters of [`DiceCe`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiceCeConfig {
    /// Weight of the cross entropy.
    pub weight_ce: f64,
    /// Weight of the Dice.
    pub weight_dice: f64,
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background in the Dice.
    pub do_bg: bool,
    /// Added to the Dice's numerator and denominator.
    pub smooth: f64,
}

impl Default for DiceCeConfig {
    fn default() -> Self {
        Self { weight_ce: 1.0, weight_dice: 1.0, batch_dice: false, do_bg: false, smooth: 1e-5 }
    }
}

/// Weighted sum of soft Dice and cross entropy, from one log-softmax.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiceCe {
    config: DiceCeConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "DC_and_CE_loss", "Soft Dice plus cross entropy, nnU-Net's default.");
    Component::loss(info.with_defaults(&DiceCeConfig::default()), |config| {
        Ok(Box::new(DiceCe { config: parse_config(config)? }))
    })
}));

impl DiceCe {
    /// With these parameters.
    #[must_use]
    pub fn new(config: DiceCeConfig) -> Self {
        Self { config }
    }
}

impl Loss for DiceCe {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let DiceCeConfig { weight_ce, weight_dice, batch_dice, do_bg, smooth } = self.config;
        let log_probabilities = logits.f_log_softmax(1, Element::Float)?;
        let entropy = voxelwise(&log_probabilities, target, Reduction::Mean)?;
        let dice = soft_dice(&log_probabilities.f_exp()?, target, DiceConfig { batch_dice, do_bg, smooth })?;
        Ok(entropy * weight_ce + dice * weight_dice)
    }
}
