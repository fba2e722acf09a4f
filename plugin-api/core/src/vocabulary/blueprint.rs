//! The blueprint: all settings of a training (v1: the attributes of a trainer class).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AugmentationChoice, ComponentChoice, LearningRateSchedule, MomentumSchedule, Optimizer, ParameterGroup,
    Patience, Regions,
};

/// All settings of a training. The defaults are those of `nnUNetTrainerV2`; names follow v1's attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Blueprint {
    /// Number of epochs.
    pub max_num_epochs: usize,
    /// Training batches per epoch.
    pub num_batches_per_epoch: usize,
    /// Validation batches per epoch.
    pub num_val_batches_per_epoch: usize,
    /// Learning rate of the first epoch.
    pub initial_lr: f64,
    /// Learning rate schedule.
    pub lr_schedule: LearningRateSchedule,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Parameters with a learning rate or weight decay of their own, or that are not trained.
    pub parameter_groups: Vec<ParameterGroup>,
    /// Momentum schedule; none: the optimizer's momentum in all epochs.
    pub momentum_schedule: Option<MomentumSchedule>,
    /// Early stopping if the training loss no longer decreases; none: all epochs are trained.
    pub patience: Option<Patience>,
    /// Weight decay (L2 penalty) of all parameters.
    pub weight_decay: f64,
    /// Gradients are clipped to this total L2 norm; none: no clipping.
    pub gradient_clipping: Option<f64>,
    /// Fraction of the samples of a batch that are guaranteed to contain foreground.
    pub oversample_foreground_percent: f64,
    /// Draw for each sample whether it must contain foreground, with that fraction as probability, instead of the last
    /// samples of a batch.
    pub probabilistic_oversampling: bool,
    /// Which cases and patches batches are made of; none: as v1 or v2 does, whichever trains.
    pub sampler: Option<ComponentChoice>,
    /// Name and parameters of the loss.
    pub loss: ComponentChoice,
    /// Names and parameters of metrics that are measured in the validation of every epoch, beside the foreground Dice.
    pub metrics: Vec<ComponentChoice>,
    /// The metric whose moving average determines `model_best`: a name in `metrics`, one with a part such as `Dice.2`, or a
    /// metric of the trainer; none: the foreground Dice.
    pub best_metric: Option<String>,
    /// Deep supervision: outputs of lower resolution contribute to the loss.
    pub deep_supervision: bool,
    /// With deep supervision, the output of lowest resolution contributes too, with half the weight of the one above
    /// it.
    pub supervise_lowest: bool,
    /// With deep supervision, the weights of the outputs, full resolution first; none: each has half the weight of the one
    /// before it, and all sum to 1.
    pub deep_supervision_weights: Option<Vec<f64>>,
    /// Name and parameters of the network.
    pub architecture: ComponentChoice,
    /// What the outputs of the network mean; none: classes with a softmax, or `regions` with a sigmoid.
    pub head: Option<ComponentChoice>,
    /// Overlapping regions to segment instead of labels.
    pub regions: Option<Regions>,
    /// In a cascade: the trainer of the first stage, whose predictions are an input of the second stage.
    pub previous_trainer: String,
    /// Name and parameters of the augmentation.
    pub augmentation: AugmentationChoice,
    /// Train on one random case instead of the data, to benchmark the network.
    pub dummy_load: bool,
    /// Axes that are mirrored in training and, by default, in prediction; none: all axes.
    pub mirror_axes: Option<Vec<usize>>,
    /// Floating-point format of the forward pass.
    pub precision: Precision,
    /// Batch size, instead of that of the plans.
    pub batch_size: Option<usize>,
    /// Compute the Dice loss over the whole batch (true) or for each sample (false); none: as v1 does for the
    /// configuration.
    pub batch_dice: Option<bool>,
    /// Number of epochs after which `model_latest` is written again.
    pub save_every: usize,
    /// Write `model_best` whenever the moving average of the metric improves.
    pub save_best_checkpoint: bool,
    /// Write `model_final_checkpoint` after the last epoch.
    pub save_final_checkpoint: bool,
    /// Write `model_latest` during the training.
    pub save_intermediate_checkpoints: bool,
    /// Predict and evaluate the validation cases after the last epoch.
    pub final_validation: bool,
    /// Weight of the previous value in the exponential moving average of the metric.
    pub val_eval_criterion_alpha: f64,
    /// Weight of the previous value in the exponential moving average of the training loss.
    #[serde(rename = "train_loss_MA_alpha")]
    pub train_loss_ma_alpha: f64,
    /// Restart with lower momentum if the metric is exactly 0 after 100 epochs, as v1 does.
    pub momentum_fallback: bool,
    /// Random seed.
    pub seed: u64,
}

/// Floating-point formats of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bfloat16 on CUDA, single precision on the CPU.
    Auto,
    /// Single precision.
    Fp32,
    /// bfloat16 in operations that support it.
    Bf16,
    /// Half precision (float16) with loss scaling.
    Fp16,
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
            parameter_groups: Vec::new(),
            momentum_schedule: None,
            patience: None,
            weight_decay: 3e-5,
            gradient_clipping: Some(12.0),
            oversample_foreground_percent: 0.33,
            probabilistic_oversampling: false,
            sampler: None,
            loss: ComponentChoice::named("DC_and_CE_loss"),
            metrics: Vec::new(),
            best_metric: None,
            deep_supervision: true,
            supervise_lowest: false,
            deep_supervision_weights: None,
            architecture: ComponentChoice::named("Generic_UNet"),
            head: None,
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
