//! From a trainer's name to its blueprint and hooks: the parent chain, root first.

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{
    Config, EpochReport, Error, Flow, Kind, Loss, LossContext, Result, SchedulePoint, Trainer,
    TrainerContext, overlay, parent_chain,
};

/// Makes the trainer of a name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Trainer>>;

/// A trainer with the blueprint of all its parents applied. Hooks ask the trainer itself first, then its parents.
pub struct Resolved {
    /// What the chain of parents and the trainer itself say.
    pub blueprint: Blueprint,
    /// Settings and parameters of the command line.
    pub set: Config,
    /// Names of the trainer and its parents, root first.
    pub names: Vec<String>,
    pub(crate) chain: Vec<Box<dyn Trainer>>,
    /// The last trainer of the chain that names a loss; hooks of its parents no longer count.
    loss_from: usize,
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved")
            .field("names", &self.names)
            .field("blueprint", &self.blueprint)
            .finish_non_exhaustive()
    }
}

/// Resolves a trainer.
///
/// # Errors
/// Returns an error if the trainer or a parent is unknown, if the parents form a cycle, or the error of `configure`.
pub fn resolve(name: &str, context: &TrainerContext, lookup: Lookup<'_>) -> Result<Resolved> {
    let named = parent_chain(Kind::Trainer, name, lookup, |trainer| trainer.extends())?;
    let (names, chain): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let (mut blueprint, mut loss_from) = (Blueprint::default(), 0);
    for (i, (trainer, name)) in chain.iter().zip(&names).enumerate() {
        let before = blueprint.clone();
        trainer
            .configure(&mut blueprint, context)
            .map_err(|error| error.within(format!("trainer {name}")))?;
        if blueprint.loss != before.loss || names_loss(&**trainer, before, context) {
            loss_from = i;
        }
    }
    check(&blueprint)?;
    Ok(Resolved { blueprint, set: Config::new(), names, chain, loss_from })
}

/// Whether a trainer's settings name a loss, be it the one that was named before.
fn names_loss(trainer: &dyn Trainer, mut blueprint: Blueprint, context: &TrainerContext) -> bool {
    let none = ComponentChoice::named("");
    blueprint.loss = none.clone();
    trainer.configure(&mut blueprint, context).is_ok() && blueprint.loss != none
}

fn check(blueprint: &Blueprint) -> Result<()> {
    let positive = [
        ("max_num_epochs", blueprint.max_num_epochs),
        ("num_batches_per_epoch", blueprint.num_batches_per_epoch),
        ("save_every", blueprint.save_every),
    ];
    for (name, value) in positive {
        if value == 0 {
            return Err(Error::parameter(name, "must be at least 1"));
        }
    }
    if !(blueprint.initial_lr.is_finite() && blueprint.initial_lr > 0.0) {
        return Err(Error::parameter("initial_lr", "must be a positive number"));
    }
    match &blueprint.regions {
        Some(regions) if regions.regions.is_empty() => {
            Err(Error::parameter("regions", "at least one region"))
        }
        Some(regions) if regions.regions.len() != regions.class_order.len() => {
            Err(Error::parameter("regions", "`class_order` needs one label for each region"))
        }
        _ => Ok(()),
    }
}

impl Resolved {
    /// Changes settings, as a child's table would.
    ///
    /// # Errors
    /// Returns an error for an unknown setting or a value that it cannot have.
    pub fn overlay(&mut self, settings: &Config) -> Result<()> {
        overlay(&mut self.blueprint, settings)?;
        if settings.contains_key("loss") {
            self.loss_from = self.chain.len();
        }
        check(&self.blueprint)
    }

    /// The loss of the first trainer that brings one, and was not given another by a child's blueprint.
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn loss(&self, context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
        for trainer in self.chain[self.loss_from..].iter().rev() {
            if let Some(loss) = trainer.loss(context)? {
                return Ok(Some(loss));
            }
        }
        Ok(None)
    }

    /// The learning rate of an epoch that a trainer determines itself; none: that of the schedule.
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn learning_rate(&self, epoch: usize) -> Result<Option<f64>> {
        for trainer in self.chain.iter().rev() {
            if let Some(rate) = trainer.learning_rate(epoch, &self.blueprint)? {
                return Ok(Some(rate));
            }
        }
        Ok(None)
    }

    /// The learning rate of a parameter group at a step, given the one of the schedule: each trainer may change that of its
    /// parents. None: no trainer does.
    ///
    /// # Errors
    /// Returns the error of the hook.
    pub fn learning_rate_at(&self, at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
        let mut changed = None;
        for trainer in &self.chain {
            changed = trainer.learning_rate_at(at, changed.unwrap_or(rate))?.or(changed);
        }
        Ok(changed)
    }

    /// Calls the hook of every trainer of the chain; each of them may stop the run.
    ///
    /// # Errors
    /// Returns the error of a hook.
    pub fn on_epoch_end(&mut self, report: &EpochReport) -> Result<Flow> {
        let mut flow = Flow::Continue;
        for trainer in &mut self.chain {
            if trainer.on_epoch_end(report)? == Flow::Stop {
                flow = Flow::Stop;
            }
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::vocabulary::Plans;

    use super::*;

    struct Child;

    impl Trainer for Child {
        fn extends(&self) -> String {
            "root".to_owned()
        }

        fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
            blueprint.max_num_epochs = 10;
            Ok(())
        }

        fn learning_rate(&self, epoch: usize, _blueprint: &Blueprint) -> Result<Option<f64>> {
            Ok((epoch == 3).then_some(0.5))
        }

        fn learning_rate_at(&self, at: &SchedulePoint, rate: f64) -> Result<Option<f64>> {
            Ok((at.group == "slow.*").then_some(rate / 2.0))
        }
    }

    struct Root;

    impl Trainer for Root {
        fn extends(&self) -> String {
            String::new()
        }
    }

    /// Brings a loss, or names one.
    struct Lossy(&'static str);

    struct Nothing;

    impl Loss for Nothing {
        fn forward(
            &self,
            _: &nnunet_plugin_api::tch::Tensor,
            _: &nnunet_plugin_api::tch::Tensor,
        ) -> Result<nnunet_plugin_api::tch::Tensor> {
            Err(Error::message("never called"))
        }
    }

    impl Trainer for Lossy {
        fn extends(&self) -> String {
            if self.0.starts_with("names") { "brings" } else { "" }.to_owned()
        }

        fn configure(&self, blueprint: &mut Blueprint, _context: &TrainerContext) -> Result<()> {
            if self.0 == "names" {
                blueprint.loss = ComponentChoice::named("TopKLoss");
            }
            if self.0 == "names the same" {
                blueprint.loss = ComponentChoice::named(Blueprint::default().loss.name);
            }
            Ok(())
        }

        fn loss(&self, _context: &LossContext) -> Result<Option<Box<dyn Loss>>> {
            Ok(if self.0 == "brings" { Some(Box::new(Nothing)) } else { None })
        }
    }

    #[test]
    fn a_loss_in_a_childs_blueprint_takes_the_place_of_its_parents_own() {
        let lookup = |name: &str| -> Result<Box<dyn Trainer>> {
            let names = ["brings", "names", "names the same"];
            Ok(Box::new(Lossy(names.into_iter().find(|other| *other == name).unwrap_or_default())))
        };
        let context = LossContext { num_classes: 2, batch_dice: false };
        let brings = |name: &str| {
            let trainer = resolve(name, &TrainerContext::default(), &lookup).unwrap();
            trainer.loss(&context).unwrap().is_some()
        };
        assert!(brings("brings") && !brings("names") && !brings("names the same"));
    }

    #[test]
    fn hooks_come_from_the_child_and_defaults_from_the_root() {
        let lookup = |name: &str| -> Result<Box<dyn Trainer>> {
            Ok(if name == "root" { Box::new(Root) } else { Box::new(Child) })
        };
        let context =
            TrainerContext { configuration: "3d_fullres".to_owned(), plans: Plans::default(), stage: 0 };
        let trainer = resolve("child", &context, &lookup).unwrap();
        assert_eq!(trainer.names, ["root", "child"]);
        assert_eq!(trainer.learning_rate(3).unwrap(), Some(0.5));
        assert_eq!(trainer.learning_rate(5).unwrap(), None);
        let mut at = SchedulePoint { step: 7, ..SchedulePoint::default() };
        assert_eq!(trainer.learning_rate_at(&at, 0.25).unwrap(), None);
        at.group = "slow.*".to_owned();
        assert_eq!(trainer.learning_rate_at(&at, 0.25).unwrap(), Some(0.125));
    }
}
