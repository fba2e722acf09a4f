//! Parameters of a network that are trained in another way than the rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LearningRateSchedule;

/// A parameter group of the optimizer. A parameter belongs to the first group that its name fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParameterGroup {
    /// Names in the state dict, where `*` stands for any characters: `seg_outputs.*`.
    pub parameters: String,
    /// Factor of the learning rate.
    pub learning_rate: f64,
    /// Weight decay; none: that of the blueprint.
    pub weight_decay: Option<f64>,
    /// Learning rate schedule of these parameters; none: that of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr_schedule: Option<LearningRateSchedule>,
    /// These parameters are not trained.
    pub frozen: bool,
}

impl Default for ParameterGroup {
    fn default() -> Self {
        Self {
            parameters: "*".to_owned(),
            learning_rate: 1.0,
            weight_decay: None,
            lr_schedule: None,
            frozen: false,
        }
    }
}
