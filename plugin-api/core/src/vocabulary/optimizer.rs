//! Optimizers, as settings of a blueprint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ComponentChoice;

/// Optimizers with their parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    #[serde(rename = "SGD")]
    Sgd {
        /// Momentum.
        #[serde(default = "defaults::momentum")]
        momentum: f64,
        /// Nesterov momentum.
        #[serde(default = "defaults::on")]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015); weight decay is an L2 penalty.
    Adam {
        /// Use the AMSGrad variant (Reddi et al. 2018).
        #[serde(default = "defaults::on")]
        amsgrad: bool,
        /// Exponential decay rates of the moment estimates (betas).
        #[serde(default = "defaults::adam_betas")]
        betas: [f64; 2],
        /// Added to the denominator for numerical stability.
        #[serde(default = "defaults::adam_eps")]
        eps: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// Use the AMSGrad variant (Reddi et al. 2018).
        #[serde(default)]
        amsgrad: bool,
        /// Exponential decay rates of the moment estimates (betas).
        #[serde(default = "defaults::adam_betas")]
        betas: [f64; 2],
        /// Added to the denominator for numerical stability.
        #[serde(default = "defaults::adam_eps")]
        eps: f64,
    },
    /// Rectified Adam with lookahead (Liu et al. 2020, Zhang et al. 2019); weight decay is decoupled.
    Ranger {
        /// Steps between two updates of the slow weights (lookahead).
        #[serde(default = "defaults::lookahead")]
        k: usize,
        /// Step size of the slow weights (lookahead).
        #[serde(default = "defaults::alpha")]
        alpha: f64,
        /// Exponential decay rates of the moment estimates (betas).
        #[serde(default = "defaults::ranger_betas")]
        betas: [f64; 2],
        /// Added to the denominator for numerical stability.
        #[serde(default = "defaults::ranger_eps")]
        eps: f64,
        /// The step is rectified if the length of the approximated simple moving average exceeds this.
        #[serde(default = "defaults::n_sma_threshold")]
        n_sma_threshold: f64,
    },
    /// Any other optimizer, by name with its parameters: one of a plugin, or a built-in one such as `Adan` or `Muon`. A
    /// parameter `weight_decay` that is not set is that of the blueprint.
    #[serde(untagged)]
    Other(ComponentChoice),
}

/// Defaults of the optimizers' parameters: those of v1.
mod defaults {
    pub(super) fn on() -> bool {
        true
    }
    pub(super) fn momentum() -> f64 {
        0.99
    }
    pub(super) fn adam_betas() -> [f64; 2] {
        [0.9, 0.999]
    }
    pub(super) fn adam_eps() -> f64 {
        1e-8
    }
    pub(super) fn lookahead() -> usize {
        6
    }
    pub(super) fn alpha() -> f64 {
        0.5
    }
    pub(super) fn ranger_betas() -> [f64; 2] {
        [0.95, 0.999]
    }
    pub(super) fn ranger_eps() -> f64 {
        1e-5
    }
    pub(super) fn n_sma_threshold() -> f64 {
        5.0
    }
}
