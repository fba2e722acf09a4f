//! Optimizers as values of a blueprint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Optimizers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum.
    #[serde(rename = "SGD")]
    Sgd {
        /// Momentum.
        #[serde(default = "defaults::momentum")]
        momentum: f64,
        /// Nesterov's look-ahead.
        #[serde(default = "defaults::on")]
        nesterov: bool,
    },
    /// Adam (Kingma and Ba 2015); weight decay is an L2 penalty.
    Adam {
        /// Divide by the largest second moment so far (Reddi et al. 2018).
        #[serde(default = "defaults::on")]
        amsgrad: bool,
        /// Weights of the past in the two moments.
        #[serde(default = "defaults::adam_betas")]
        betas: [f64; 2],
        /// Keeps the quotient finite.
        #[serde(default = "defaults::adam_eps")]
        eps: f64,
    },
    /// Rectified Adam with lookahead (Liu et al. 2020, Zhang et al. 2019); weight decay is decoupled.
    Ranger {
        /// Steps between two pulls of the lookahead.
        #[serde(default = "defaults::lookahead")]
        k: usize,
        /// Strength of a pull.
        #[serde(default = "defaults::alpha")]
        alpha: f64,
        /// Weights of the past in the two moments.
        #[serde(default = "defaults::ranger_betas")]
        betas: [f64; 2],
        /// Keeps the quotient finite.
        #[serde(default = "defaults::ranger_eps")]
        eps: f64,
        /// The second moment counts once its average is longer than this.
        #[serde(default = "defaults::n_sma_threshold")]
        n_sma_threshold: f64,
    },
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
