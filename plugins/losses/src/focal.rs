//! The focal loss with smoothed labels (Lin et al. 2017; v1 `FocalLoss` and `FocalLossV2`, which are the same).

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Component, Error, Info, Kind, Loss, Registration, Result, inventory, parse_config};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::precision::precision;
use crate::target::{Nonlinearity, one_hot};

/// Weights of the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Alpha {
    /// That of the class `balance_index`; all others have one minus this.
    Balanced(f32),
    /// One of each class, normalized to sum one.
    PerClass(Vec<f32>),
}

/// Parameters of [`Focal`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FocalConfig {
    /// From logits to probabilities: `softmax`, `sigmoid` or `none`.
    pub apply_nonlin: Nonlinearity,
    /// Weights of the classes: a number, or one of each class.
    pub alpha: Option<Alpha>,
    /// How much well classified voxels lose weight.
    pub gamma: f64,
    /// The class whose weight `alpha` is, when it is a number.
    pub balance_index: usize,
    /// Smoothing of the labels.
    pub smooth: f64,
    /// The mean over the voxels, not the sum.
    pub size_average: bool,
}

impl Default for FocalConfig {
    fn default() -> Self {
        Self {
            apply_nonlin: Nonlinearity::Softmax,
            alpha: None,
            gamma: 2.0,
            balance_index: 0,
            smooth: 1e-5,
            size_average: true,
        }
    }
}

/// Cross entropy that turns to the badly classified voxels.
#[derive(Debug, Clone)]
pub struct Focal {
    config: FocalConfig,
}

inventory::submit!(Registration(|| component("FocalLoss")));
inventory::submit!(Registration(|| component("FocalLossV2")));

fn component(name: &'static str) -> Component {
    let info = Info::new(Kind::Loss, name, "Focal loss with smoothed labels.");
    Component::loss(info.with_config::<FocalConfig>(), |config| {
        let config: FocalConfig = parse_config(config)?;
        if !(0.0..=1.0).contains(&config.smooth) {
            return Err(Error::parameter("smooth", "a number between 0 and 1"));
        }
        Ok(Box::new(Focal { config }))
    })
}

impl Focal {
    /// Weights of all classes.
    fn alpha(&self, classes: usize) -> Result<Vec<f32>> {
        match &self.config.alpha {
            None => Ok(vec![1.0; classes]),
            Some(Alpha::Balanced(alpha)) => {
                let mut all = vec![1.0 - alpha; classes];
                if let Some(one) = all.get_mut(self.config.balance_index) {
                    *one = *alpha;
                }
                Ok(all)
            }
            Some(Alpha::PerClass(alpha)) if alpha.len() == classes => {
                let sum: f32 = alpha.iter().sum();
                Ok(alpha.iter().map(|alpha| alpha / sum).collect())
            }
            Some(Alpha::PerClass(_)) => Err(Error::parameter("alpha", "one number for each class")),
        }
    }

    fn smoothed(&self, one_hot: &Tensor, classes: i64) -> Result<Tensor> {
        let smooth = self.config.smooth;
        if smooth == 0.0 {
            return Ok(one_hot.shallow_clone());
        }
        Ok(one_hot.f_clamp(smooth / (classes - 1) as f64, 1.0 - smooth)?)
    }
}

impl Loss for Focal {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let p = self.config.apply_nonlin.apply(logits)?;
        let classes = p.size()[1];
        let alpha = Tensor::f_from_slice(&self.alpha(classes as usize)?)?.f_to_device(p.device())?;
        let alpha =
            alpha.f_index_select(0, &target.f_reshape([-1])?)?.f_reshape(target.f_select(1, 0)?.size())?;
        let labels = self.smoothed(&one_hot(target, &p, 0)?, classes)?;
        let pt =
            p.f_mul(&labels)?.f_sum_dim_intlist([1].as_slice(), false, precision(&p))? + self.config.smooth;
        let hard = (pt.f_neg()? + 1.0).f_pow_tensor_scalar(self.config.gamma)?;
        let each = alpha.f_mul(&hard)?.f_mul(&pt.f_log()?)?;
        let all = if self.config.size_average {
            each.f_mean(precision(&each))?
        } else {
            each.f_sum(precision(&each))?
        };
        Ok(all.f_neg()?)
    }
}
