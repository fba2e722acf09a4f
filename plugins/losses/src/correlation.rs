//! Matthews' correlation coefficient (v1 `MCCLoss`).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counts::{Counts, foreground};
use crate::precision::{precision, softmax};
use crate::target::{ignoring, one_hot, over_ranks, summed_axes};

/// Lower bound under a square root, so that its gradient is finite if a class is absent; v1's is NaN.
const SQRT_FLOOR: f64 = 1e-18;

/// Parameters of [`MatthewsCorrelation`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MccConfig {
    /// Sum counts over the batch before dividing; v1 calls it `batch_mcc`.
    #[serde(alias = "batch_mcc")]
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
    /// Voxels with this label are ignored.
    pub ignore_label: Option<i64>,
}

impl Default for MccConfig {
    fn default() -> Self {
        Self { batch_dice: false, do_bg: true, smooth: 0.0, ignore_label: None }
    }
}

/// Negative mean correlation coefficient of Matthews.
#[derive(Debug, Clone, Copy)]
pub struct MatthewsCorrelation {
    config: MccConfig,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Loss, "MCCLoss", "Negative mean correlation coefficient of Matthews.");
    Component::loss(info.with_config::<MccConfig>(), |config| {
        Ok(Box::new(MatthewsCorrelation { config: parse_config(config)? }))
    })
}));

impl MatthewsCorrelation {
    /// With these parameters.
    #[must_use]
    pub fn new(config: MccConfig) -> Self {
        Self { config }
    }

    /// As [`Loss::forward`], where voxels whose `mask` (batch, 1, space...) is 0 do not count.
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    pub fn masked(&self, logits: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let MccConfig { batch_dice, do_bg, smooth, .. } = self.config;
        let p = softmax(logits)?;
        let axes = summed_axes(&p, batch_dice);
        let counts = Counts::new(&p, &one_hot(target, &p, 0)?, &axes, mask, false)?;
        // Shares of one case's voxels, whether or not the batch is summed.
        let voxels = p.size()[2..].iter().product::<i64>() as f64;
        let all = Tensor::f_stack(&[counts.tp, counts.fp, counts.fn_, counts.tn], 0)?;
        let all = over_ranks(&all, batch_dice, p.size()[0])? / voxels;
        let [tp, fp, fn_, tn] = [0, 1, 2, 3].map(|which| all.f_get(which));
        let (tp, fp, fn_, tn) = (tp?, fp?, fn_?, tn?);
        let nominator = &tp * &tn - &fp * &fn_ + smooth;
        let product = (&tp + &fp) * (&tp + &fn_) * (&tn + &fp) * (&tn + &fn_);
        let correlation = nominator.f_div(&(root(&product, smooth)? + smooth))?;
        Ok(foreground(&correlation, do_bg)?.f_mean(precision(&correlation))?.f_neg()?)
    }
}

impl Loss for MatthewsCorrelation {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (target, mask) = ignoring(target, self.config.ignore_label)?;
        self.masked(logits, &target, mask.as_ref())
    }
}

/// The square root with a finite slope at 0. It is 0 there only when `smooth` keeps the quotient finite.
fn root(product: &Tensor, smooth: f64) -> Result<Tensor> {
    let root = product.f_clamp_min(SQRT_FLOOR)?.f_sqrt()?;
    if smooth == 0.0 {
        return Ok(root);
    }
    Ok(root.f_mul(&product.f_gt(0.0)?.f_to_kind(product.kind())?)?)
}
