//! Heads: what the outputs of a network mean.

use nnunet_plugin_core::vocabulary::{ComponentChoice, Regions};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::Result;

/// What the outputs of a network mean: how many there are, what they are trained on, and what is written. `head` in a
/// trainer's table or on the command line names one; without it the outputs are classes with a softmax, or regions with a
/// sigmoid.
///
/// ```no_run
/// use nnunet_plugin_api::tch::{Kind as Element, Tensor};
/// use nnunet_plugin_api::{
///     Component, Head, HeadFacts, HeadTask, Info, Kind, Registration, Result, Written, inventory,
/// };
///
/// /// Regresses the number in the label map.
/// struct Regression;
///
/// impl Head for Regression {
///     fn facts(&self) -> HeadFacts {
///         HeadFacts { written: Written::Values, ..HeadFacts::default() }
///     }
///
///     fn outputs(&self, _task: &HeadTask) -> Result<usize> {
///         Ok(1)
///     }
///
///     fn targets(&self, _task: &HeadTask, labels: &Tensor) -> Result<Tensor> {
///         Ok(labels.f_to_kind(Element::Float)?)
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Head, "Regression", "Regresses the number in the label map.");
///     Component::head(info, |_config| Ok(Box::new(Regression)))
/// }));
/// ```
///
/// Batches are made and cases are written on several threads. The loss of a head of one's own is one of one's own, too.
///
/// Source: v1's `apply_nonlin`, `ConvertSegmentationToRegionsTransform` and `save_segmentation_nifti_from_softmax`.
pub trait Head: Send + Sync {
    /// What the program has to know of it.
    fn facts(&self) -> HeadFacts {
        HeadFacts::default()
    }

    /// Number of outputs of the network.
    ///
    /// # Errors
    /// Returns an error if it does not fit the task.
    fn outputs(&self, task: &HeadTask) -> Result<usize>;

    /// What the network is trained on, (batch, channels, space...), int64 or floating point, from labels, (batch, 1,
    /// space...), int64, without those below 0.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn targets(&self, task: &HeadTask, labels: &Tensor) -> Result<Tensor>;

    /// Scores of outputs, (batch, outputs, space...), of the same shape, in single precision, each from the outputs of its
    /// voxel. Models of v1 average scores over tiles, mirror images and networks; those of v2 average outputs, whose
    /// scores are then made on the grid of the case. The default: the outputs.
    ///
    /// # Errors
    /// Returns an error to end the prediction.
    fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        Ok(outputs.f_to_kind(Kind::Float)?)
    }

    /// What is written, (z, y, x), of scores on the grid of the case, (outputs, z, y, x): labels, int64, or values,
    /// floating point, as [`HeadFacts::written`] says. It is called for parts of a case.
    /// The default: the number of the largest score, or the first score.
    ///
    /// # Errors
    /// Returns an error to end the prediction.
    fn written(&self, _task: &HeadTask, scores: &Tensor) -> Result<Tensor> {
        Ok(match self.facts().written {
            Written::Labels => scores.f_argmax(0, false)?,
            Written::Values => scores.f_select(0, 0)?,
        })
    }
}

/// What a head says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeadFacts {
    /// What is written.
    pub written: Written,
    /// How the foreground Dice of the validation of every epoch is counted.
    pub dice: OnlineDice,
    /// A metric that is measured in the validation of every epoch, and determines `model_best` if the trainer names none.
    pub metric: Option<ComponentChoice>,
}

/// What prediction writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Written {
    /// A label map.
    #[default]
    Labels,
    /// An image of floating-point numbers, which is not evaluated by labels.
    Values,
}

/// How the foreground Dice of validation batches is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlineDice {
    /// Not at all.
    #[default]
    None,
    /// The first outputs are background and the labels, and the first channel of the targets is the label.
    Classes,
    /// The first outputs are the regions, or without regions the labels, and the first channels of the targets their masks.
    Regions,
}

/// What a head is used for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HeadTask {
    /// Number of labels without background.
    pub labels: usize,
    /// Overlapping regions, if the trainer names any.
    pub regions: Option<Regions>,
}
