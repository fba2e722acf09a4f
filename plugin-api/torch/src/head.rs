//! Heads: what the outputs of a network mean.

use std::fmt;
use std::sync::Arc;

use nnunet_plugin_core::vocabulary::{ComponentChoice, Regions};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{Error, Result};

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

    /// What is averaged over tiles, mirror images and networks, of the same shape as the outputs, (batch, outputs,
    /// space...), in single precision. The default: the outputs.
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
    /// Not at all: outputs and targets are neither of the others.
    #[default]
    None,
    /// The first output is background, the others are labels 1, 2, ...; the target is the label.
    Classes,
    /// Each output is a region, and each channel of the target its mask.
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

/// A head and the task that it is used for.
#[derive(Clone)]
pub struct TaskHead {
    head: Arc<dyn Head>,
    task: HeadTask,
    facts: HeadFacts,
}

impl fmt::Debug for TaskHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskHead")
            .field("task", &self.task)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

impl TaskHead {
    /// The head of a task.
    #[must_use]
    pub fn new(head: Box<dyn Head>, task: HeadTask) -> Self {
        let facts = head.facts();
        Self { head: head.into(), task, facts }
    }

    /// See [`Head::facts`].
    #[must_use]
    pub fn facts(&self) -> &HeadFacts {
        &self.facts
    }

    /// See [`Head::outputs`].
    ///
    /// # Errors
    /// Returns the head's error, or one if there are none.
    pub fn outputs(&self) -> Result<usize> {
        match self.head.outputs(&self.task)? {
            0 => Err(Error::shape("outputs of the head", "at least one", 0)),
            outputs => Ok(outputs),
        }
    }

    /// See [`Head::targets`].
    ///
    /// # Errors
    /// Returns the head's error, or one if the shape does not fit.
    pub fn targets(&self, labels: &Tensor) -> Result<Tensor> {
        let targets = self.head.targets(&self.task, labels)?;
        let (mut expected, found) = (labels.size(), targets.size());
        if let Some(channels) = found.get(1) {
            expected[1] = *channels;
        }
        fits("targets of the head", &expected, &targets)?;
        if !targets.is_floating_point() && targets.kind() != Kind::Int64 {
            let found = format!("{:?}", targets.kind());
            return Err(Error::shape("targets of the head", "Int64 or floating point", found));
        }
        Ok(targets)
    }

    /// See [`Head::scores`].
    ///
    /// # Errors
    /// Returns the head's error, or one if the shape does not fit.
    pub fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        let scores = self.head.scores(outputs)?;
        fits("scores of the head", &outputs.size(), &scores)?;
        Ok(scores.f_to_kind(Kind::Float)?)
    }

    /// See [`Head::written`].
    ///
    /// # Errors
    /// Returns the head's error, or one if shape or kind do not fit.
    pub fn written(&self, scores: &Tensor) -> Result<Tensor> {
        let written = self.head.written(&self.task, scores)?;
        fits("what the head writes", &scores.size()[1..], &written)?;
        let are_values = self.facts.written == Written::Values;
        let fitting = if are_values { written.is_floating_point() } else { written.kind() == Kind::Int64 };
        if !fitting {
            let expected = if are_values { "floating-point numbers" } else { "Int64" };
            let found = format!("{:?}", written.kind());
            return Err(Error::shape("what the head writes", expected, found));
        }
        Ok(written)
    }
}

fn fits(what: &str, expected: &[i64], found: &Tensor) -> Result<()> {
    if found.size() == expected {
        return Ok(());
    }
    Err(Error::shape(what, format!("{expected:?}"), format!("{:?}", found.size())))
}
