//! The blueprint: every value of a training (v1: the attributes of a trainer class).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{LearningRateSchedule, MomentumSchedule, Optimizer, Patience, Regions};
use crate::Config;

/// All values of a training. The defaults are those of `nnUNetTrainerV2`; names follow v1's attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Blueprint {
    /// Epochs.
    pub max_num_epochs: usize,
    /// Training batches per epoch.
    pub num_batches_per_epoch: usize,
    /// Validation batches per epoch.
    pub num_val_batches_per_epoch: usize,
    /// Learning rate of the first epoch.
    pub initial_lr: f64,
    /// Learning rate over the epochs.
    pub lr_schedule: LearningRateSchedule,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Momentum over the epochs; none: the optimizer's throughout.
    pub momentum_schedule: Option<MomentumSchedule>,
    /// Ends the training when the loss no longer falls; none: all epochs are trained.
    pub patience: Option<Patience>,
    /// L2 penalty on all parameters.
    pub weight_decay: f64,
    /// Largest L2 norm of all gradients together; none: no clipping.
    pub gradient_clipping: Option<f64>,
    /// Share of the samples of a batch that must contain foreground.
    pub oversample_foreground_percent: f64,
    /// Loss of one output, by name.
    pub loss: ComponentChoice,
    /// Whether lower-resolution outputs take part in the loss.
    pub deep_supervision: bool,
    /// Whether the lowest of these outputs takes part too, with half the weight of the one above it.
    pub supervise_lowest: bool,
    /// Network, by name.
    pub architecture: ComponentChoice,
    /// Overlapping regions to segment instead of labels.
    pub regions: Option<Regions>,
    /// Trainer of the first stage, whose predictions the second stage of a cascade starts from.
    pub previous_trainer: String,
    /// Augmentation, by name, with changes.
    pub augmentation: AugmentationChoice,
    /// One random case instead of the data, to measure the network alone.
    pub dummy_load: bool,
    /// Axes mirrored in training and, by default, in prediction; none: all.
    pub mirror_axes: Option<Vec<usize>>,
    /// Number format of the forward pass.
    pub precision: Precision,
    /// Samples per batch instead of the plans'.
    pub batch_size: Option<usize>,
    /// Dice over the batch instead of the rule.
    pub batch_dice: Option<bool>,
    /// `model_latest` is written every so many epochs.
    pub save_every: usize,
    /// Write `model_best`.
    pub save_best_checkpoint: bool,
    /// Write `model_final_checkpoint`.
    pub save_final_checkpoint: bool,
    /// Write `model_latest` on the way.
    pub save_intermediate_checkpoints: bool,
    /// Predict the validation cases whole at the end.
    pub final_validation: bool,
    /// Weight of the past in the moving average of the metric.
    pub val_eval_criterion_alpha: f64,
    /// Weight of the past in the moving average of the training loss.
    #[serde(rename = "train_loss_MA_alpha")]
    pub train_loss_ma_alpha: f64,
    /// With a metric of exactly 0 after 100 epochs: lower momentum and start over.
    pub momentum_fallback: bool,
    /// Start of all random numbers.
    pub seed: u64,
}

/// Number formats of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bfloat16 on CUDA, single precision on the CPU.
    Auto,
    /// Single precision.
    Fp32,
    /// bfloat16 where the operation allows it.
    Bf16,
    /// Half precision (float16) with a loss scaler.
    Fp16,
}

/// A component by name, with its parameters beside it: `{ name = "DC_and_topk_loss", k = 10 }` or just a name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "Written")]
pub struct ComponentChoice {
    /// Name in the registry.
    pub name: String,
    /// Parameters; those not given take the component's defaults.
    #[serde(flatten)]
    pub parameters: Config,
}

/// A choice as it may be written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    /// A name.
    Name(String),
    /// A table with the name and parameters.
    Table {
        /// Name in the registry.
        name: String,
        /// Its parameters.
        #[serde(flatten)]
        parameters: Config,
    },
}

/// Augmentation by name, with changed parameters beside it.
pub type AugmentationChoice = ComponentChoice;

impl ComponentChoice {
    /// A component with its default parameters.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Config::new() }
    }
}

impl<'de> Deserialize<'de> for ComponentChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Name(name) => Self::named(name),
            Written::Table { name, parameters } => Self { name, parameters },
        })
    }
}

impl Default for Blueprint {
    fn default() -> Self {
        Self {
            max_num_epochs: 1000,
            num_batches_per_epoch: 250,
            num_val_batches_per_epoch: 50,
            initial_lr: 1e-2,
            lr_schedule: LearningRateSchedule::Poly { exponent: 0.9 },
            optimizer: Optimizer::Sgd { momentum: 0.99, nesterov: true },
            momentum_schedule: None,
            patience: None,
            weight_decay: 3e-5,
            gradient_clipping: Some(12.0),
            oversample_foreground_percent: 0.33,
            loss: ComponentChoice::named("DC_and_CE_loss"),
            deep_supervision: true,
            supervise_lowest: false,
            architecture: ComponentChoice::named("Generic_UNet"),
            regions: None,
            previous_trainer: "nnUNetTrainerV2".to_owned(),
            augmentation: ComponentChoice::named("moreDA"),
            dummy_load: false,
            mirror_axes: None,
            precision: Precision::Auto,
            batch_size: None,
            batch_dice: None,
            save_every: 50,
            save_best_checkpoint: true,
            save_final_checkpoint: true,
            save_intermediate_checkpoints: true,
            final_validation: true,
            val_eval_criterion_alpha: 0.9,
            train_loss_ma_alpha: 0.93,
            momentum_fallback: true,
            seed: 12345,
        }
    }
}
