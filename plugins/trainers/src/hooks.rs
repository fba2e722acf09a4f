//! The hooks of a trainer and its parents. Events reach all of them, root first; a question is answered by the first that
//! has an answer, the trainer itself first.

use std::collections::BTreeMap;

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{
    Batch, EpochReport, Error, Fold, Metrics, Result, Tally, Trainer, TrainerState, Training, ValidationCase,
};

use crate::Resolved;

/// A trainer and its parents, root first.
#[derive(Default)]
pub struct Chain(Vec<(String, Box<dyn Trainer>)>);

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Resolved {
    /// Takes the trainers out, so that their hooks may change whatever else the owner of this value has. Until
    /// [`Resolved::return_trainers`] the others see a trainer without hooks.
    #[must_use]
    pub fn take_trainers(&mut self) -> Chain {
        Chain(self.names.iter().cloned().zip(std::mem::take(&mut self.chain)).collect())
    }

    /// Puts the trainers back.
    pub fn return_trainers(&mut self, chain: Chain) {
        self.chain = chain.0.into_iter().map(|(_, trainer)| trainer).collect();
    }

    /// What each trainer keeps in checkpoints, by its name.
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn save_state(&self) -> Result<BTreeMap<String, TrainerState>> {
        let states = self
            .names
            .iter()
            .zip(&self.chain)
            .map(|(name, trainer)| Ok((name.clone(), trainer.save_state()?)));
        let mut states: BTreeMap<_, _> = states.collect::<Result<_>>()?;
        states.retain(|_, state| !state.is_empty());
        Ok(states)
    }

    /// Gives the trainers their states.
    ///
    /// # Errors
    /// Returns an error if there is no such trainer, or the error of the hook.
    pub fn load_state(&mut self, states: BTreeMap<String, TrainerState>) -> Result<()> {
        for (name, state) in states {
            let at = self.names.iter().position(|other| *other == name);
            let trainer = at.and_then(|at| self.chain.get_mut(at)).ok_or_else(|| {
                Error::message(format!("there is a state of trainer {name}, which is not in use"))
            })?;
            trainer.load_state(state)?;
        }
        Ok(())
    }

    /// The network that predicts; none: the trained one.
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn predicts_with(&self) -> Result<Option<String>> {
        for trainer in self.chain.iter().rev() {
            if let Some(network) = trainer.predicts_with()? {
                return Ok(Some(network));
            }
        }
        Ok(None)
    }

    /// The cases of a fold; none: those of the file of folds. The result is sorted.
    ///
    /// # Errors
    /// Returns the error of the hook, or one that names the trainer and what is wrong with its fold.
    pub fn split(&self, cases: &[String], fold: &str) -> Result<Option<Fold>> {
        for (trainer, name) in self.chain.iter().zip(&self.names).rev() {
            if let Some(mut own) = trainer.split(cases, fold)? {
                own.check(cases).map_err(|error| error.within(format!("trainer {name}: split")))?;
                own.train.sort();
                own.val.sort();
                return Ok(Some(own));
            }
        }
        Ok(None)
    }

    /// Metrics of an epoch: those that were measured and those that the trainers add.
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn metrics(&mut self, report: &EpochReport, metrics: &mut Metrics) -> Result<()> {
        self.chain.iter_mut().try_for_each(|trainer| trainer.metrics(report, metrics))
    }

    /// Whether an epoch is the best so far; none: by the moving average of the metric.
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn is_best(&mut self, report: &EpochReport, metrics: &Metrics) -> Result<Option<bool>> {
        for trainer in self.chain.iter_mut().rev() {
            if let Some(best) = trainer.is_best(report, metrics)? {
                return Ok(Some(best));
            }
        }
        Ok(None)
    }
}

impl Chain {
    fn each(&mut self, mut hook: impl FnMut(&mut dyn Trainer) -> Result<()>) -> Result<()> {
        self.0.iter_mut().try_for_each(|(_, trainer)| hook(&mut **trainer))
    }

    /// See [`Trainer::on_train_start`].
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn on_train_start(&mut self, training: &mut dyn Training) -> Result<()> {
        self.each(|trainer| trainer.on_train_start(training))
    }

    /// See [`Trainer::on_train_end`].
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn on_train_end(&mut self, training: &mut dyn Training) -> Result<()> {
        self.each(|trainer| trainer.on_train_end(training))
    }

    /// See [`Trainer::on_epoch_start`].
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn on_epoch_start(&mut self, training: &mut dyn Training) -> Result<()> {
        self.each(|trainer| trainer.on_epoch_start(training))
    }

    /// See [`Trainer::on_batch`].
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn on_batch(&mut self, training: &mut dyn Training, batch: &mut Batch) -> Result<()> {
        self.each(|trainer| trainer.on_batch(training, batch))
    }

    /// See [`Trainer::train_step`].
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
        for (_, trainer) in self.0.iter_mut().rev() {
            if let Some(loss) = trainer.train_step(training, batch)? {
                return Ok(Some(loss));
            }
        }
        Ok(None)
    }

    /// See [`Trainer::validate_case`].
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn validate_case(&mut self, case: &mut dyn ValidationCase) -> Result<Option<Tensor>> {
        for (_, trainer) in self.0.iter_mut().rev() {
            if let Some(scores) = trainer.validate_case(case)? {
                return Ok(Some(scores));
            }
        }
        Ok(None)
    }

    /// See [`Trainer::validation_step`].
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn validation_step(
        &mut self,
        training: &mut dyn Training,
        outputs: &[Tensor],
        batch: &Batch,
    ) -> Result<Vec<Tally>> {
        let mut all = Vec::new();
        for (_, trainer) in &mut self.0 {
            all.extend(trainer.validation_step(training, outputs, batch)?);
        }
        Ok(all)
    }
}
