//! Trainers: they determine how a network is trained.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::vocabulary::{Blueprint, EpochReport, Plans};
use crate::{Batch, Loss, LossContext, Metrics, Result, SchedulePoint, Tally, TrainerState, Training};

/// How a network is trained. A trainer starts from the blueprint (all values of a training) of its parent, changes
/// some of them, and has hooks for what no value covers. The default of every method is the parent's behavior.
///
/// ```no_run
/// use nnunet_plugin_api::vocabulary::Blueprint;
/// use nnunet_plugin_api::{Component, Info, Kind, Registration, Result, Trainer, TrainerContext, inventory};
///
/// /// `nnUNetTrainerV2` with 250 epochs and a cosine learning rate.
/// struct Cosine;
///
/// impl Trainer for Cosine {
///     fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
///         blueprint.max_num_epochs = 250;
///         Ok(())
///     }
///
///     fn learning_rate(&self, epoch: usize, blueprint: &Blueprint) -> Result<Option<f64>> {
///         let done = epoch as f64 / blueprint.max_num_epochs as f64;
///         Ok(Some(blueprint.initial_lr * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())))
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Trainer, "Cosine", "250 epochs, cosine learning rate.");
///     Component::trainer(info, |_config| Ok(Box::new(Cosine)))
/// }));
/// ```
///
/// Source: v1's `nnUNetTrainer` family.
pub trait Trainer: Send {
    /// The trainer this one starts from; empty for a root.
    fn extends(&self) -> String {
        "nnUNetTrainerV2".to_owned()
    }

    /// Changes the parent's blueprint.
    ///
    /// # Errors
    /// Returns an error if the settings contradict each other or do not fit the plans.
    fn configure(&self, _blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
        Ok(())
    }

    /// The loss of one output of the network; `None`: the loss that the blueprint names.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::tch::{Reduction, Tensor};
    /// use nnunet_plugin_api::{Loss, LossContext, Result, Trainer};
    ///
    /// struct SmoothedLabels;
    /// impl Loss for SmoothedLabels {
    ///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    ///         let labels = target.f_select(1, 0)?;
    ///         Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.1)?)
    ///     }
    /// }
    ///
    /// struct MyTrainer;
    /// impl Trainer for MyTrainer {
    ///     fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
    ///         Ok(Some(Box::new(SmoothedLabels)))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error if the loss does not support the task.
    fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        Ok(None)
    }

    /// The learning rate of an epoch (from 0); `None`: that of the blueprint's schedule.
    ///
    /// # Errors
    /// Returns an error if the schedule has no learning rate for this epoch.
    fn learning_rate(&self, _epoch: usize, _blueprint: &Blueprint) -> Result<Option<f64>> {
        Ok(None)
    }

    /// The learning rate of a parameter group at a step, given that of the schedule or of a parent; `None`: that one. It is
    /// asked for before the first step of every epoch; if it has an answer then, before every other step too.
    ///
    /// ```
    /// use nnunet_plugin_api::{Result, SchedulePoint, Trainer};
    ///
    /// /// The segmentation layers of `parameter_groups` learn from the tenth epoch on.
    /// struct Late;
    ///
    /// impl Trainer for Late {
    ///     fn learning_rate_at(&self, at: &SchedulePoint, _rate: f64) -> Result<Option<f64>> {
    ///         Ok((at.group == "seg_outputs.*" && at.epoch < 10).then_some(0.0))
    ///     }
    /// }
    ///
    /// let at = SchedulePoint { epoch: 3, group: "seg_outputs.*".to_owned(), ..SchedulePoint::default() };
    /// assert_eq!(Late.learning_rate_at(&at, 0.01).unwrap(), Some(0.0));
    /// ```
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn learning_rate_at(&self, _at: &SchedulePoint, _rate: f64) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Called after every epoch.
    ///
    /// ```
    /// use nnunet_plugin_api::{EpochReport, Flow, Result, Trainer};
    ///
    /// /// Stops when the online evaluation is good enough.
    /// struct GoodEnough { dice: f64 }
    ///
    /// impl Trainer for GoodEnough {
    ///     fn on_epoch_end(&mut self, report: &EpochReport) -> Result<Flow> {
    ///         Ok(if report.metric >= self.dice { Flow::Stop } else { Flow::Continue })
    ///     }
    /// }
    ///
    /// let report = EpochReport { metric: 0.95, ..EpochReport::default() };
    /// assert_eq!(GoodEnough { dice: 0.9 }.on_epoch_end(&report).unwrap(), Flow::Stop);
    /// ```
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn on_epoch_end(&mut self, _report: &EpochReport) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called before the first epoch of a run, also of one that continues, after [`Trainer::load_state`].
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn on_train_start(&mut self, _training: &mut dyn Training) -> Result<()> {
        Ok(())
    }

    /// Called after the last epoch, before the final checkpoint is written.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn on_train_end(&mut self, _training: &mut dyn Training) -> Result<()> {
        Ok(())
    }

    /// Called before the first step of every epoch.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn on_epoch_start(&mut self, _training: &mut dyn Training) -> Result<()> {
        Ok(())
    }

    /// Called with every training batch, after augmentation. It may change images, targets and names of cases, and the
    /// number of samples.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::{Batch, Result, Trainer, Training};
    ///
    /// /// Images with noise.
    /// struct Noisy;
    ///
    /// impl Trainer for Noisy {
    ///     fn on_batch(&mut self, _training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
    ///         batch.data = batch.data.f_add(&batch.data.f_randn_like()?.f_mul_scalar(0.1)?)?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn on_batch(&mut self, _training: &mut dyn Training, _batch: &mut Batch) -> Result<()> {
        Ok(())
    }

    /// A training step; returns its loss. `None`: the parent's step, which for all built-in trainers is
    /// [`built_in_step`](crate::built_in_step). A trainer answers the same way for all steps of an epoch.
    ///
    /// # Errors
    /// Returns an error to end the training with that error. [`Error::NotFinite`](crate::Error) instead returns the training to
    /// the start of the epoch, which is taken up again without this step and with half the learning rate.
    fn train_step(&mut self, _training: &mut dyn Training, _batch: &Batch) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// Called with every validation batch and the network's outputs for it; returns parts of metrics.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn validation_step(
        &mut self,
        _training: &mut dyn Training,
        _outputs: &[Tensor],
        _batch: &Batch,
    ) -> Result<Vec<Tally>> {
        Ok(Vec::new())
    }

    /// Called after validation: may add to the metrics of the epoch, which are logged, and change them. Those that
    /// [`Trainer::validation_step`] returned are there.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn metrics(&mut self, _report: &EpochReport, _metrics: &mut Metrics) -> Result<()> {
        Ok(())
    }

    /// Whether this epoch's network is the best so far and is kept as `model_best`. `None`: the parent's criterion, which
    /// for all built-in trainers is the moving average of the foreground Dice.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn is_best(&mut self, _report: &EpochReport, _metrics: &Metrics) -> Result<Option<bool>> {
        Ok(None)
    }

    /// The network that predicts, of those that [`Training::add_network`] added; `None`: the parent's choice, which for all
    /// built-in trainers is the one that is trained. It validates, and its weights are the `state_dict` of checkpoints.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn predicts_with(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// What the trainer needs to continue, for the checkpoint. It is asked for before every epoch too, in case the epoch has
    /// to be taken up again.
    ///
    /// # Errors
    /// Returns an error to end the training with that error.
    fn save_state(&self) -> Result<TrainerState> {
        Ok(TrainerState::default())
    }

    /// Takes over what [`Trainer::save_state`] returned. Not called if there was nothing.
    ///
    /// # Errors
    /// Returns an error if the state is not one of this trainer's.
    fn load_state(&mut self, _state: TrainerState) -> Result<()> {
        Ok(())
    }
}

/// What a trainer may need when it is configured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainerContext {
    /// `2d`, `3d_lowres`, `3d_fullres` or `3d_cascade_fullres`.
    pub configuration: String,
    /// The plans.
    pub plans: Plans,
    /// Index of the stage in the plans.
    pub stage: usize,
}

/// Whether the training continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flow {
    /// Continue with the next epoch.
    Continue,
    /// Finish the training after this epoch.
    Stop,
}
