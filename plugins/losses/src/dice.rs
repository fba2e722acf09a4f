//! The soft Dice (v1 `SoftDiceLoss`; Drozdzal et al. 2016) and the one with squared terms (v1 `SoftDiceLossSquared`;
//! Milletari et al. 2016).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use nnunet_torch_ops::ranks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counts::foreground;
use crate::precision::precision;
use crate::target::{Nonlinearity, class_mask, ignoring, over_ranks, summed_axes};

/// Added to the denominator for numerical stability if everything is empty and `smooth` is 0.
const EPSILON: f64 = 1e-8;

/// Parameters of the soft Dice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DiceConfig {
    /// From logits to probabilities: `softmax`, `sigmoid` or `none`.
    pub apply_nonlin: Nonlinearity,
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
    /// Voxels with this label are ignored.
    pub ignore_label: Option<i64>,
}

impl Default for DiceConfig {
    fn default() -> Self {
        Self {
            apply_nonlin: Nonlinearity::Softmax,
            batch_dice: false,
            do_bg: false,
            smooth: 1e-5,
            ignore_label: None,
        }
    }
}

/// Negative mean soft Dice.
#[derive(Debug, Clone, Copy)]
pub struct SoftDice {
    config: DiceConfig,
    squared: bool,
}

inventory::submit!(Registration(|| component("SoftDiceLoss", "Negative mean soft Dice.", false)));
inventory::submit!(Registration(|| {
    component("SoftDiceLossSquared", "Negative mean soft Dice with squared terms.", true)
}));

fn component(name: &'static str, summary: &'static str, squared: bool) -> Component {
    let info = Info::new(Kind::Loss, name, summary).with_config::<DiceConfig>();
    Component::loss(info, move |config| Ok(Box::new(SoftDice { config: parse_config(config)?, squared })))
}

impl SoftDice {
    /// The plain soft Dice.
    #[must_use]
    pub fn new(config: DiceConfig) -> Self {
        Self { config, squared: false }
    }

    /// As [`Loss::forward`], where voxels whose `mask` (batch, 1, space...) is 0 do not count.
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    pub fn masked(&self, logits: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let probabilities = self.config.apply_nonlin.apply(logits)?;
        let dice = if self.squared { squared_dice } else { soft_dice };
        dice(&probabilities, target, mask, &self.config)
    }
}

impl Loss for SoftDice {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (target, mask) = ignoring(target, self.config.ignore_label)?;
        self.masked(logits, &target, mask.as_ref())
    }
}

/// Negative mean soft Dice. Voxels where `mask` is 0 do not count.
///
/// # Shapes
/// `probabilities` (batch, classes, space...), `target` (batch, 1, space...) int64 or one channel of each class, `mask`
/// (batch, 1, space...); a scalar comes back.
pub(crate) fn soft_dice(
    probabilities: &Tensor,
    target: &Tensor,
    mask: Option<&Tensor>,
    config: &DiceConfig,
) -> Result<Tensor> {
    let (p, y, axes) = counted(probabilities, target, mask, config, i64::from(!config.do_bg))?;
    let overlap = sum(&p.f_mul(&y)?, &axes)?;
    // 2 tp + fp + fn = sum of probabilities + sum of the mask.
    let size = y.f_sum_dim_intlist(axes.as_slice(), false, precision(&p))?;
    let both = sum(&p, &axes)?.f_add(&size)?;
    let [overlap, both] = of_batch([overlap, both], probabilities, config)?;
    let dice = (overlap * 2.0 + config.smooth) / (both + (config.smooth + EPSILON));
    Ok(dice.f_mean(precision(&dice))?.f_neg()?)
}

/// The same with squared terms in the denominator.
pub(crate) fn squared_dice(
    probabilities: &Tensor,
    target: &Tensor,
    mask: Option<&Tensor>,
    config: &DiceConfig,
) -> Result<Tensor> {
    let (p, y, axes) = counted(probabilities, target, mask, config, 0)?;
    let [overlap, both] = [sum(&p.f_mul(&y)?, &axes)?, sum(&p.f_square()?.f_add(&y)?, &axes)?];
    let [overlap, both] = of_batch([overlap, both], probabilities, config)?;
    let dice = foreground(&((overlap + config.smooth) * 2.0 / (both + config.smooth)), config.do_bg)?;
    Ok(dice.f_mean(precision(&dice))?.f_neg()?)
}

/// Sums of the whole batch, where the Dice is of the batch.
fn of_batch(sums: [Tensor; 2], probabilities: &Tensor, config: &DiceConfig) -> Result<[Tensor; 2]> {
    if !config.batch_dice || ranks::current().is_none() {
        return Ok(sums);
    }
    let both = over_ranks(&Tensor::f_stack(&sums, 0)?, config.batch_dice, probabilities.size()[0])?;
    Ok([both.f_get(0)?, both.f_get(1)?])
}

/// Probabilities and masks of the classes from `first` on where voxels count, and the axes they are summed over.
fn counted(
    probabilities: &Tensor,
    target: &Tensor,
    mask: Option<&Tensor>,
    config: &DiceConfig,
    first: i64,
) -> Result<(Tensor, Tensor, Vec<i64>)> {
    let axes = summed_axes(probabilities, config.batch_dice);
    // A mask of bytes: a copy in single precision would take four times the memory until the backward pass.
    let y = class_mask(target, probabilities, first)?;
    let p = probabilities.f_narrow(1, first, probabilities.size()[1] - first)?;
    Ok(match mask {
        Some(mask) => (p.f_mul(mask)?, y.f_mul(mask)?, axes),
        None => (p, y, axes),
    })
}

fn sum(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
    Ok(x.f_sum_dim_intlist(axes, false, precision(x))?)
}
