//! Generalized Dice (v1 `GDL` and `GDL_and_CE_loss`; Sudre et al. 2017).

use nnunet_plugin_api::tch::{Reduction, Tensor};
use nnunet_plugin_api::{Component, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::cross_entropy::{CrossEntropyConfig, voxelwise};
use crate::precision::{log_softmax, precision, softmax};
use crate::target::{ignoring, one_hot, over_ranks, summed_axes};

/// Keeps the weights of absent classes finite.
const VOLUME_EPSILON: f64 = 1e-6;

/// Parameters of [`GeneralizedDice`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GdlConfig {
    /// Sum counts over the batch before dividing.
    pub batch_dice: bool,
    /// Include the background.
    pub do_bg: bool,
    /// Added to numerator and denominator.
    pub smooth: f64,
    /// Square what is counted.
    pub square: bool,
    /// Weigh classes by the inverse of their squared volume, as the paper does, not of the volume.
    pub square_volumes: bool,
    /// Voxels with this label are ignored.
    pub ignore_label: Option<i64>,
}

impl Default for GdlConfig {
    fn default() -> Self {
        Self {
            batch_dice: false,
            do_bg: false,
            smooth: 1e-5,
            square: false,
            square_volumes: false,
            ignore_label: None,
        }
    }
}

/// Dice in which classes weigh by the inverse of their volume, alone or with the cross entropy.
#[derive(Debug, Clone, Copy)]
pub struct GeneralizedDice {
    config: GdlConfig,
    with_cross_entropy: bool,
}

inventory::submit!(Registration(|| component("GDL", "Negative generalized Dice.", false)));
inventory::submit!(Registration(|| {
    component("GDL_and_CE_loss", "Generalized Dice plus cross entropy.", true)
}));

fn component(name: &'static str, summary: &'static str, with_cross_entropy: bool) -> Component {
    let info = Info::new(Kind::Loss, name, summary).with_config::<GdlConfig>();
    Component::loss(info, move |config| {
        Ok(Box::new(GeneralizedDice { config: parse_config(config)?, with_cross_entropy }))
    })
}

impl GeneralizedDice {
    /// Without the cross entropy.
    #[must_use]
    pub fn new(config: GdlConfig) -> Self {
        Self { config, with_cross_entropy: false }
    }

    /// Negative generalized Dice, where voxels whose `mask` (batch, 1, space...) is 0 do not count.
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    pub fn masked(&self, logits: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        self.dice(&softmax(logits)?, target, mask)
    }

    fn dice(&self, p: &Tensor, target: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let GdlConfig { batch_dice, do_bg, smooth, square, square_volumes, .. } = self.config;
        let first = i64::from(!do_bg);
        let axes = summed_axes(p, batch_dice);
        let y = one_hot(target, p, first)?;
        let p = p.f_narrow(1, first, p.size()[1] - first)?;
        let Counts { tp, fp, fn_, .. } = Counts::new(&p, &y, &axes, mask, square)?;
        // The volumes are those of the whole target, ignored voxels included, as in v1.
        let volume = y.f_sum_dim_intlist(axes.as_slice(), false, precision(&y))? + VOLUME_EPSILON;
        let whole = |sums: &Tensor| over_ranks(sums, batch_dice, y.size()[0]);
        let (volume, tp, fp, fn_) = (whole(&volume)?, whole(&tp)?, whole(&fp)?, whole(&fn_)?);
        let volume = if square_volumes { volume.f_square()? } else { volume };
        let weighed = |counts: &Tensor| -> Result<Tensor> {
            Ok(counts.f_div(&volume)?.f_sum_dim_intlist([-1].as_slice(), false, precision(&volume))?)
        };
        let overlap = weighed(&tp)? * 2.0;
        let both = &overlap + weighed(&fp)? + weighed(&fn_)?;
        Ok(((overlap + smooth) / (both + smooth)).f_mean(precision(&p))?.f_neg()?)
    }
}

impl Loss for GeneralizedDice {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let log_p = log_softmax(logits)?;
        let (target, mask) = ignoring(target, self.config.ignore_label)?;
        let loss = self.dice(&log_p.f_exp()?, &target, mask.as_ref())?;
        if !self.with_cross_entropy {
            return Ok(loss);
        }
        let classes = CrossEntropyConfig { weight: None, ignore_index: self.config.ignore_label };
        Ok(loss.f_add(&voxelwise(&log_p, &target, &classes, Reduction::Mean)?)?)
    }
}
