//! The cross entropy of the hardest voxels (v1 `TopKLoss`), alone and with the Dice (v1 `DC_and_topk_loss`).

use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cross_entropy::{CrossEntropyConfig, voxelwise};
use crate::dice::{DiceConfig, soft_dice, squared_dice};
use crate::precision::{log_softmax, precision};
use crate::target::ignoring;

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
    /// Voxels with this label are ignored.
    pub ignore_label: Option<i64>,
}

impl Default for DiceTopKConfig {
    fn default() -> Self {
        Self {
            k: 10.0,
            weight: None,
            batch_dice: false,
            do_bg: false,
            smooth: 1e-5,
            square_dice: false,
            ignore_label: None,
        }
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
        let ignored = self.config.ignore_label;
        let classes = CrossEntropyConfig { weight: self.config.weight.clone(), ignore_index: ignored };
        let hardest = hardest(&log_probabilities, target, &classes, (k, 0.0))?;
        let (target, mask) = ignoring(target, ignored)?;
        let config = DiceConfig { batch_dice, do_bg, smooth, ..DiceConfig::default() };
        let dice = if self.config.square_dice { squared_dice } else { soft_dice };
        Ok(hardest.f_add(&dice(&log_probabilities.f_exp()?, &target, mask.as_ref(), &config)?)?)
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
    /// Voxels with this label are ignored.
    pub ignore_index: Option<i64>,
    /// Share of the target that is spread over all classes.
    pub label_smoothing: f64,
}

impl Default for TopKConfig {
    fn default() -> Self {
        Self { k: 10.0, weight: None, ignore_index: None, label_smoothing: 0.0 }
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
        let TopKConfig { k, ignore_index, label_smoothing, .. } = self.config;
        let classes = CrossEntropyConfig { weight: self.config.weight.clone(), ignore_index };
        hardest(&log_probabilities, target, &classes, (k, label_smoothing))
    }
}

fn check(k: f64) -> Result<()> {
    if (0.0..=100.0).contains(&k) {
        Ok(())
    } else {
        Err(Error::parameter("k", "a percentage between 0 and 100"))
    }
}

/// Mean cross entropy of the `k` per cent hardest voxels of the batch; with `smoothing` a share of it is that of all
/// classes. Ignored voxels have an entropy of 0.
fn hardest(
    log_probabilities: &Tensor,
    target: &Tensor,
    classes: &CrossEntropyConfig,
    (k, smoothing): (f64, f64),
) -> Result<Tensor> {
    let mut entropies = voxelwise(log_probabilities, target, classes, Reduction::None)?;
    if smoothing > 0.0 {
        let all = log_probabilities.f_mean_dim([1].as_slice(), false, log_probabilities.kind())?.f_neg()?;
        let counted = match classes.ignore_index {
            Some(label) => all.f_mul(&target.f_select(1, 0)?.f_ne(label)?)?,
            None => all,
        };
        entropies = entropies * (1.0 - smoothing) + counted * smoothing;
    }
    let entropies = entropies.f_reshape([-1])?;
    let kept = (entropies.numel() as f64 * k / 100.0) as i64;
    let (hardest, _) = entropies.f_topk(kept, 0, true, false)?;
    Ok(hardest.f_mean(precision(&hardest))?)
}
