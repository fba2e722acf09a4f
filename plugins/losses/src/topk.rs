//! The cross entropy of the hardest voxels (v1 `TopKLoss`), alone and with the Dice (v1 `DC_and_topk_loss`).

use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cross_entropy::{CrossEntropyConfig, voxelwise};
use crate::dice::{DiceConfig, soft_dice, squared_dice};
use crate::precision::{log_softmax, precision};

/// Parameters of [`DiceTopK`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiceTopKConfig {
    /// Percentage of the voxels that contribute to the cross entropy.
    pub k: f64,
    /// Weights of the classes in the cross entropy.
    pub weight: Option<Vec<f32>>,
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background in the Dice.
    pub do_bg: bool,
    /// Added to the Dice's numerator and denominator.
    pub smooth: f64,
    /// The Dice with squared terms.
    pub square_dice: bool,
}

impl Default for DiceTopKConfig {
    fn default() -> Self {
        Self { k: 10.0, weight: None, batch_dice: false, do_bg: false, smooth: 1e-5, square_dice: false }
    }
}

/// Sum of soft Dice and the mean cross entropy of the k per cent hardest voxels.
#[derive(Debug, Clone)]
pub struct DiceTopK {
    config: DiceTopKConfig,
}

inventory::submit!(Registration(|| {
    let info =
        Info::new(Kind::Loss, "DC_and_topk_loss", "Soft Dice plus the cross entropy of the hardest voxels.");
    Component::loss(info.with_config::<DiceTopKConfig>(), |config| {
        let config: DiceTopKConfig = parse_config(config)?;
        check(config.k)?;
        Ok(Box::new(DiceTopK { config }))
    })
}));

impl Loss for DiceTopK {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let DiceTopKConfig { k, batch_dice, do_bg, smooth, .. } = self.config;
        let log_probabilities = log_softmax(logits)?;
        let hardest = hardest(&log_probabilities, target, self.config.weight.clone(), k)?;
        let config = DiceConfig { batch_dice, do_bg, smooth, ..DiceConfig::default() };
        let dice = if self.config.square_dice { squared_dice } else { soft_dice };
        Ok(hardest.f_add(&dice(&log_probabilities.f_exp()?, target, None, &config)?)?)
    }
}

/// Parameters of [`TopK`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TopKConfig {
    /// Percentage of the voxels that contribute.
    pub k: f64,
    /// Weights of the classes.
    pub weight: Option<Vec<f32>>,
}

impl Default for TopKConfig {
    fn default() -> Self {
        Self { k: 10.0, weight: None }
    }
}

/// Mean cross entropy of the k per cent hardest voxels.
#[derive(Debug, Clone)]
pub struct TopK {
    config: TopKConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "TopKLoss", "Cross entropy of the hardest voxels.");
    Component::loss(info.with_config::<TopKConfig>(), |config| {
        let config: TopKConfig = parse_config(config)?;
        check(config.k)?;
        Ok(Box::new(TopK { config }))
    })
}));

impl Loss for TopK {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_probabilities = log_softmax(logits)?;
        hardest(&log_probabilities, target, self.config.weight.clone(), self.config.k)
    }
}

fn check(k: f64) -> Result<()> {
    if (0.0..=100.0).contains(&k) {
        Ok(())
    } else {
        Err(Error::parameter("k", "a percentage between 0 and 100"))
    }
}

/// Mean cross entropy of the `k` per cent hardest voxels of the batch.
fn hardest(log_probabilities: &Tensor, target: &Tensor, weight: Option<Vec<f32>>, k: f64) -> Result<Tensor> {
    let classes = CrossEntropyConfig { weight, ignore_index: None };
    let entropies = voxelwise(log_probabilities, target, &classes, Reduction::None)?.f_reshape([-1])?;
    let kept = (entropies.numel() as f64 * k / 100.0) as i64;
    let (hardest, _) = entropies.f_topk(kept, 0, true, false)?;
    Ok(hardest.f_mean(precision(&hardest))?)
}
