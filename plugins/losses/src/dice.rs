//! The soft Dice (v1 `SoftDiceLoss`; Drozdzal et al. 2016).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use serde::{Deserialize, Serialize};

/// Guards the quotient when everything is empty and `smooth` is 0.
const EPSILON: f64 = 1e-8;

/// Parameters of the soft Dice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiceConfig {
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
}

impl Default for DiceConfig {
    fn default() -> Self {
        Self { batch_dice: false, do_bg: false, smooth: 1e-5 }
    }
}

/// Negative mean soft Dice of the softmax.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoftDice {
    config: DiceConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "SoftDiceLoss", "Negative mean soft Dice of the foreground classes.");
    Component::loss(info.with_defaults(&DiceConfig::default()), |config| {
        Ok(Box::new(SoftDice { config: parse_config(config)? }))
    })
}));

impl Loss for SoftDice {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        soft_dice(&logits.f_softmax(1, logits.kind())?, target, self.config)
    }
}

/// Negative mean soft Dice.
///
/// # Shapes
/// `probabilities` (batch, classes, space...), `target` (batch, 1, space...) int64; a scalar comes back.
pub(crate) fn soft_dice(probabilities: &Tensor, target: &Tensor, config: DiceConfig) -> Result<Tensor> {
    let classes = probabilities.size()[1];
    let first = i64::from(!config.do_bg);
    let axes = summed_axes(probabilities, config.batch_dice);
    let mask = one_hot(target, probabilities, first)?;
    let foreground = probabilities.f_narrow(1, first, classes - first)?;
    let sum = |x: &Tensor| x.f_sum_dim_intlist(axes.as_slice(), false, nnunet_plugin_api::tch::Kind::Float);
    let overlap = sum(&foreground.f_mul(&mask)?)?;
    // 2 tp + fp + fn = sum of probabilities + sum of the mask.
    let both = sum(&foreground)?.f_add(&sum(&mask)?)?;
    let dice = (overlap * 2.0 + config.smooth) / (both + (config.smooth + EPSILON));
    Ok(dice.f_mean(nnunet_plugin_api::tch::Kind::Float)?.f_neg()?)
}

/// The axes counts are summed over: space, and the batch when asked for.
pub(crate) fn summed_axes(probabilities: &Tensor, batch: bool) -> Vec<i64> {
    let space = 2..probabilities.dim() as i64;
    if batch { std::iter::once(0).chain(space).collect() } else { space.collect() }
}

/// Labels against class numbers from `first` on: a mask of all classes at once, in the probabilities' own type.
///
/// # Shapes
/// `target` (batch, 1, space...) int64; (batch, classes - first, space...) comes back.
pub(crate) fn one_hot(target: &Tensor, probabilities: &Tensor, first: i64) -> Result<Tensor> {
    if target.size()[1] != 1 {
        return Err(Error::shape(
            "a loss over classes",
            "a target with one channel of labels",
            format!("{:?}", target.size()),
        ));
    }
    let classes = probabilities.size()[1];
    let mut numbers = vec![1; probabilities.dim()];
    numbers[1] = classes - first;
    let numbers =
        Tensor::f_arange_start(first, classes, (target.kind(), target.device()))?.f_reshape(&numbers)?;
    Ok(target.f_eq_tensor(&numbers)?.f_to_kind(probabilities.kind())?)
}
