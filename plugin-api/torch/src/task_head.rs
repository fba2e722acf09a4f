//! Heads with the task that they are used for, and what they may return.

use std::fmt;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::{Error, Head, HeadFacts, HeadTask, OnlineDice, Result, Written};

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

    /// What the head is used for.
    #[must_use]
    pub fn task(&self) -> &HeadTask {
        &self.task
    }

    /// See [`Head::facts`].
    #[must_use]
    pub fn facts(&self) -> &HeadFacts {
        &self.facts
    }

    /// Whether it writes labels, which can be evaluated.
    #[must_use]
    pub fn writes_labels(&self) -> bool {
        self.facts.written == Written::Labels
    }

    /// How many labels or regions have a foreground Dice.
    #[must_use]
    pub fn dice_classes(&self) -> usize {
        let HeadTask { labels, regions } = &self.task;
        match self.facts.dice {
            OnlineDice::None => 0,
            OnlineDice::Classes => *labels,
            OnlineDice::Regions => regions.as_ref().map_or(*labels, |all| all.regions.len()),
        }
    }

    /// The outputs and targets that the foreground Dice is counted of: the first ones.
    ///
    /// # Errors
    /// Returns an error if there are too few of them.
    pub fn of_dice(&self, outputs: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor)> {
        let classes = self.dice_classes() as i64;
        let (outputs, channels) = match self.facts.dice {
            OnlineDice::Regions => (outputs.f_narrow(1, 0, classes)?, classes),
            _ => (outputs.f_narrow(1, 0, classes + 1)?, 1),
        };
        Ok((outputs, targets.f_narrow(1, 0, channels)?))
    }

    /// See [`Head::outputs`].
    ///
    /// # Errors
    /// Returns the head's error, or one if there are none.
    pub fn outputs(&self) -> Result<usize> {
        match self.head.outputs(&self.task)? {
            0 => Err(Error::shape("outputs", "at least one", 0)),
            outputs => Ok(outputs),
        }
    }

    /// See [`Head::targets`].
    ///
    /// # Errors
    /// Returns the head's error, or one if the shape does not fit.
    pub fn targets(&self, labels: &Tensor) -> Result<Tensor> {
        let targets = self.head.targets(&self.task, labels)?;
        check_targets(labels, &targets)?;
        Ok(targets)
    }

    /// See [`Head::scores`].
    ///
    /// # Errors
    /// Returns the head's error, or one if the shape does not fit.
    pub fn scores(&self, outputs: &Tensor) -> Result<Tensor> {
        let scores = self.head.scores(outputs)?;
        check_scores(outputs, &scores)?;
        Ok(scores.f_to_kind(Kind::Float)?)
    }

    /// See [`Head::written`].
    ///
    /// # Errors
    /// Returns the head's error, or one if shape or kind do not fit.
    pub fn written(&self, scores: &Tensor) -> Result<Tensor> {
        let written = self.head.written(&self.task, scores)?;
        check_written(self.facts.written, scores, &written)?;
        Ok(written)
    }
}

/// Targets have the samples and the space of the labels.
pub(crate) fn check_targets(labels: &Tensor, targets: &Tensor) -> Result<()> {
    let mut expected = labels.size();
    if let Some(channels) = targets.size().get(1) {
        expected[1] = *channels;
    }
    fits("targets", &expected, targets)?;
    if !targets.is_floating_point() && targets.kind() != Kind::Int64 {
        return Err(Error::shape("targets", "Int64 or floating point", format!("{:?}", targets.kind())));
    }
    Ok(())
}

/// Scores have the shape of the outputs.
pub(crate) fn check_scores(outputs: &Tensor, scores: &Tensor) -> Result<()> {
    fits("scores", &outputs.size(), scores)
}

/// What is written has the space of the scores.
pub(crate) fn check_written(what: Written, scores: &Tensor, written: &Tensor) -> Result<()> {
    fits("what is written", &scores.size()[1..], written)?;
    let (fitting, expected) = match what {
        Written::Labels => (written.kind() == Kind::Int64, "Int64"),
        Written::Values => (written.is_floating_point(), "floating-point numbers"),
    };
    if fitting {
        return Ok(());
    }
    Err(Error::shape("what is written", expected, format!("{:?}", written.kind())))
}

/// Values in main memory are finite; a GPU is not waited for.
pub(crate) fn check_finite(what: &str, tensor: &Tensor) -> Result<()> {
    if tensor.device() != Device::Cpu || !tensor.is_floating_point() {
        return Ok(());
    }
    let finite = tensor.detach().f_isfinite()?.f_all()?;
    match i64::try_from(finite.f_to_kind(Kind::Int64)?)? {
        0 => Err(Error::message(format!("{what} is not finite"))),
        _ => Ok(()),
    }
}

fn fits(what: &str, expected: &[i64], found: &Tensor) -> Result<()> {
    if found.size() == expected {
        return Ok(());
    }
    Err(Error::shape(what, format!("{expected:?}"), format!("{:?}", found.size())))
}
