//! Further measures of overlap: squared Dice, generalised Dice, Matthews' correlation.

use nnunet_plugin_api::tch::{Kind as Element, Reduction, Tensor};
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use serde::{Deserialize, Serialize};

use crate::cross_entropy::voxelwise;
use crate::dice::{DiceConfig, one_hot, summed_axes};

/// Keeps the weights of absent classes finite.
const VOLUME_EPSILON: f64 = 1e-6;

/// Keeps the slope of a square root finite where a class is absent; v1 ends in NaN there.
const SQRT_FLOOR: f64 = 1e-18;

fn sum(x: &Tensor, axes: &[i64]) -> Result<Tensor> {
    Ok(x.f_sum_dim_intlist(axes, false, Element::Float)?)
}

/// All but the first class along the class axis, which is the last one.
fn foreground(scores: &Tensor, do_bg: bool) -> Result<Tensor> {
    let classes = scores.size().last().copied().unwrap_or(1);
    Ok(if do_bg { scores.shallow_clone() } else { scores.f_narrow(-1, 1, classes - 1)? })
}

/// Dice with squared terms in the denominator (Milletari et al. 2016; v1 `SoftDiceLossSquared`).
#[derive(Debug, Clone, Copy)]
pub struct SoftDiceSquared {
    config: DiceConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "SoftDiceLossSquared", "Negative mean soft Dice with squared terms.");
    Component::loss(info.with_defaults(&DiceConfig::default()), |config| {
        Ok(Box::new(SoftDiceSquared { config: parse_config(config)? }))
    })
}));

impl Loss for SoftDiceSquared {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let DiceConfig { batch_dice, do_bg, smooth } = self.config;
        let p = logits.f_softmax(1, Element::Float)?;
        let axes = summed_axes(&p, batch_dice);
        let mask = one_hot(target, &p, 0)?;
        let overlap = sum(&p.f_mul(&mask)?, &axes)? + smooth;
        let both = sum(&p.f_square()?.f_add(&mask)?, &axes)? + smooth;
        Ok(foreground(&(overlap * 2.0 / both), do_bg)?.f_mean(Element::Float)?.f_neg()?)
    }
}

/// Parameters of [`GeneralizedDice`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GdlConfig {
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
    /// Weigh classes by the inverse of their squared volume, as the paper does, not of the volume.
    pub square_volumes: bool,
}

impl Default for GdlConfig {
    fn default() -> Self {
        Self { batch_dice: false, do_bg: false, smooth: 1e-5, square_volumes: false }
    }
}

/// Generalised Dice: classes weigh by the inverse of their volume (Sudre et al. 2017; v1 `GDL`), on its own or with the
/// cross entropy (v1 `GDL_and_CE_loss`).
#[derive(Debug, Clone, Copy)]
pub struct GeneralizedDice {
    config: GdlConfig,
    with_cross_entropy: bool,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "GDL", "Negative generalised Dice.");
    Component::loss(info.with_defaults(&GdlConfig::default()), |config| {
        Ok(Box::new(GeneralizedDice { config: parse_config(config)?, with_cross_entropy: false }))
    })
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "GDL_and_CE_loss", "Generalised Dice plus cross entropy.");
    Component::loss(info.with_defaults(&GdlConfig::default()), |config| {
        Ok(Box::new(GeneralizedDice { config: parse_config(config)?, with_cross_entropy: true }))
    })
}));

impl Loss for GeneralizedDice {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let GdlConfig { batch_dice, do_bg, smooth, square_volumes } = self.config;
        let log_p = logits.f_log_softmax(1, Element::Float)?;
        let first = i64::from(!do_bg);
        let p = log_p.f_exp()?;
        let axes = summed_axes(&p, batch_dice);
        let mask = one_hot(target, &p, first)?;
        let p = p.f_narrow(1, first, p.size()[1] - first)?;
        let volume = sum(&mask, &axes)?;
        let weight = (&volume + VOLUME_EPSILON).f_reciprocal()?;
        let weight = if square_volumes { weight.f_square()? } else { weight };
        let weighted = |counts: &Tensor| -> Result<Tensor> { sum(&counts.f_mul(&weight)?, &[-1]) };
        let overlap = weighted(&sum(&p.f_mul(&mask)?, &axes)?)?;
        let both = weighted(&sum(&p, &axes)?.f_add(&volume)?)?;
        let dice = (overlap * 2.0 + smooth) / (both + smooth);
        let loss = dice.f_mean(Element::Float)?.f_neg()?;
        if !self.with_cross_entropy {
            return Ok(loss);
        }
        Ok(loss.f_add(&voxelwise(&log_p, target, Reduction::Mean)?)?)
    }
}

/// Parameters of [`MatthewsCorrelation`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MccConfig {
    /// Sum counts over the batch before dividing; v1 calls it `batch_mcc`.
    #[serde(alias = "batch_mcc")]
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
}

impl Default for MccConfig {
    fn default() -> Self {
        Self { batch_dice: false, do_bg: true, smooth: 0.0 }
    }
}

/// Negative mean correlation coefficient of Matthews (v1 `MCCLoss`).
#[derive(Debug, Clone, Copy)]
pub struct MatthewsCorrelation {
    config: MccConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "MCCLoss", "Negative mean correlation coefficient of Matthews.");
    Component::loss(info.with_defaults(&MccConfig::default()), |config| {
        Ok(Box::new(MatthewsCorrelation { config: parse_config(config)? }))
    })
}));

impl Loss for MatthewsCorrelation {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let MccConfig { batch_dice, do_bg, smooth } = self.config;
        let p = logits.f_softmax(1, Element::Float)?;
        let axes = summed_axes(&p, batch_dice);
        let mask = one_hot(target, &p, 0)?;
        // Shares of one case's voxels, whether or not the batch is summed.
        let voxels: i64 = p.size()[2..].iter().product();
        let cases = if batch_dice { p.size()[0] } else { 1 };
        let share = |x: &Tensor| -> Result<Tensor> { Ok(sum(x, &axes)? / voxels as f64) };
        let (tp, predicted, truth) = (share(&p.f_mul(&mask)?)?, share(&p)?, share(&mask)?);
        let (fp, fn_) = (&predicted - &tp, &truth - &tp);
        let tn = (&predicted + &truth - &tp).f_neg()? + cases as f64;
        let nominator = &tp * &tn - &fp * &fn_ + smooth;
        let product = (&tp + &fp) * (&tp + &fn_) * (&tn + &fp) * (&tn + &fn_);
        let denominator = product.f_clamp_min(SQRT_FLOOR)?.f_sqrt()? + smooth;
        Ok(foreground(&(nominator / denominator), do_bg)?.f_mean(Element::Float)?.f_neg()?)
    }
}
