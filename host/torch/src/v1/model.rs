//! The networks of a v1 model's folder, `CONFIGURATION/TASK/TRAINER__PLANS`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use nnunet_engine::provenance;
use nnunet_engine::session::Session;
use nnunet_formats::pickle::Value;
use nnunet_inference::{Scores, SlidingWindow};
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Precision;
use nnunet_plugin_api::{HeadTask, Network, NetworkSpec, TaskHead};

use super::checkpoint::load_weights;
use super::model_info::ModelInfo;
use super::{network as v1_network, second_stage};
use crate::{checkpoints, components, network, plugins_used};

/// Networks of all folds, and what they share.
pub(crate) struct Model {
    pub(crate) info: ModelInfo,
    pub(crate) stage: usize,
    pub(crate) networks: Vec<Box<dyn Network>>,
    pub(crate) spec: NetworkSpec,
    /// What the outputs mean, if the trainer named a head.
    pub(crate) head: Option<TaskHead>,
    pub(crate) device: Device,
    /// The checkpoints.
    pub(crate) files: Vec<PathBuf>,
}

impl Model {
    /// Loads a checkpoint of every fold of a model's folder.
    pub(crate) fn load(
        folder: &Path,
        folds: &[String],
        checkpoint: &str,
        device: Device,
        session: &Session,
    ) -> Result<Self> {
        let files = checkpoints(folder, folds, checkpoint)?;
        let info = ModelInfo::load(&files[0], &session.registry)?;
        provenance::require("the model was", &info.plugins, session, &plugins_used::PREDICTION)?;
        let configuration =
            folder.ancestors().nth(2).and_then(Path::file_name).map(|name| name.to_string_lossy());
        let stored = stored_stage(&info.init, &info.v1_trainer);
        let stage = stored
            .unwrap_or_else(|| v1_network::stage_index(&configuration.unwrap_or_default(), &info.plans));
        let Some(plan) = info.plans.plans_per_stage.get(stage) else {
            bail!("{} has no stage {stage}", folder.display())
        };
        let second_stage = second_stage::is_second_stage(&info.v1_trainer);
        let mut spec = v1_network::spec(&info.plans, plan, info.regions.as_ref(), second_stage);
        let task = HeadTask { labels: info.plans.num_classes, regions: info.regions.clone() };
        let head =
            info.head.as_ref().map(|choice| components::head(&session.registry, choice, task)).transpose()?;
        if let Some(head) = &head {
            spec.num_classes = head.outputs()?;
        }
        let mut networks = Vec::new();
        for file in &files {
            let (mut store, network) =
                network::build_for(file, &session.registry, &info.architecture, &spec, device)?;
            load_weights(file, &mut store)?;
            store.freeze()?;
            networks.push(network);
        }
        Ok(Self { info, stage, networks, spec, head, device, files })
    }

    /// Whether it needs the label maps of 3d_lowres.
    pub(crate) fn is_second_stage(&self) -> bool {
        second_stage::is_second_stage(&self.info.v1_trainer)
    }

    /// How its networks are run.
    pub(crate) fn window(&self, step: f64, mirror: bool, precision: Precision) -> SlidingWindow {
        let mut window = SlidingWindow::new(self.spec.patch_size.clone(), self.spec.num_classes);
        window.step = step;
        if let Some(axes) = &self.info.mirror_axes {
            window.mirror_axes.clone_from(axes);
        }
        if !mirror {
            window.mirror_axes.clear();
        }
        if self.info.regions.is_some() {
            window.scores = Scores::Sigmoid;
        }
        window.head.clone_from(&self.head);
        window.kind = network::kind(precision, &*self.networks[0], self.device);
        window.device = self.device;
        window
    }
}

/// The stage among v1's constructor arguments: the sixth, or the seventh of `_DDP` trainers, which take `local_rank`
/// too.
fn stored_stage(init: &Value, v1_trainer: &str) -> Option<usize> {
    let index = if v1_trainer.contains("_DDP") { 6 } else { 5 };
    match init.items()?.get(index)? {
        Value::Int(stage) => usize::try_from(*stage).ok(),
        _ => None,
    }
}

/// Names of the folders of folds in a model's folder: `fold_0`, `all` and so on, sorted.
fn fold_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("fold") || name == ALL).collect();
    names.sort();
    names
}

/// The fold that is trained on all cases.
const ALL: &str = "all";

/// Whether any fold has a v1 checkpoint.
pub(super) fn has_checkpoints(folder: &Path) -> bool {
    fold_names(folder).iter().any(|fold| {
        let files = std::fs::read_dir(folder.join(fold)).into_iter().flatten().flatten();
        files.into_iter().any(|file| file.path().extension().is_some_and(|ending| ending == "model"))
    })
}

/// The checkpoint files: of the folds asked for, of `all`, or of every fold but `all` that has one.
fn checkpoints(folder: &Path, folds: &[String], checkpoint: &str) -> Result<Vec<PathBuf>> {
    let names: Vec<String> = match folds {
        [] => fold_names(folder).into_iter().filter(|name| name != ALL).collect(),
        [all] if all == ALL => vec![ALL.to_owned()],
        folds => folds.iter().map(|fold| format!("fold_{fold}")).collect(),
    };
    ensure!(
        !names.is_empty(),
        "{} has no folds; for a model trained on all cases give -f all",
        folder.display()
    );
    let files: Vec<PathBuf> =
        names.iter().map(|name| folder.join(name).join(format!("{checkpoint}.model"))).collect();
    let (found, missing): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.is_file());
    match missing.first() {
        Some(first) if !folds.is_empty() || found.is_empty() => bail!(checkpoints::missing(first)),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_folds_those_that_have_the_checkpoint_are_used() {
        let model = tempfile::tempdir().unwrap();
        for file in ["fold_0/a.model", "fold_1/b.model", "fold_2/a.model", "all/a.model"] {
            let path = model.path().join(file);
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |folds: &[&str], name: &str| {
            let folds: Vec<String> = folds.iter().map(|fold| (*fold).to_owned()).collect();
            let files = checkpoints(model.path(), &folds, name).map_err(|error| error.to_string())?;
            let folds = files.iter().map(|file| file.parent().unwrap().file_name().unwrap().to_owned());
            Ok::<_, String>(folds.collect::<Vec<_>>())
        };
        assert_eq!(found(&[], "a").unwrap(), ["fold_0", "fold_2"]);
        assert_eq!(found(&["all"], "a").unwrap(), ["all"]);
        for (folds, name, fold) in [(&[][..], "c", "fold_0"), (&["0", "1"], "a", "fold_1")] {
            let error = found(folds, name).unwrap_err();
            assert!(error.contains("there is no checkpoint") && error.contains(fold), "{error}");
        }
    }

    #[test]
    fn the_stage_is_a_number_where_the_trainer_takes_it() {
        let init = |values: Vec<Value>| Value::Tuple(values);
        let (none, number) = (|| Value::None, |stage| Value::Int(stage));
        let plain = init(vec![none(), number(0), none(), none(), Value::Bool(true), number(1)]);
        assert_eq!(stored_stage(&plain, "nnUNetTrainerV2"), Some(1));
        let ddp = vec![none(), number(0), number(0), none(), none(), Value::Bool(true), number(0)];
        assert_eq!(stored_stage(&init(ddp.clone()), "nnUNetTrainerV2_DDP"), Some(0));
        // A boolean is not a stage.
        assert_eq!(stored_stage(&init(ddp), "nnUNetTrainerV2"), None);
    }
}
