//! A trained model of v1 as one of v2.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_formats::json;
use nnunet_formats::pickle::{self, Value as Pickle};
use nnunet_formats::torch_zip::{self, Checkpoint};
use nnunet_plugin_core::vocabulary::{Plans, Regions};
use serde_json::Value;

use super::plans_to_v2::{Task, description, made, plans_of_model};
use super::{state_v1, state_v2, tensors};
use crate::folders::{CASCADE, create};
use crate::records;

/// What is converted, and how its trainer's network differs from the default.
#[derive(Debug, Clone)]
pub struct ToV2 {
    /// The model's folder, with its folds.
    pub from: PathBuf,
    /// The folder to make.
    pub to: PathBuf,
    /// Names in v2.
    pub task: Task,
    /// `2d`, `3d_lowres`, `3d_fullres` or `3d_cascade_fullres`.
    pub configuration: String,
    /// Folders of folds.
    pub folds: Vec<String>,
    /// Name of the checkpoints, without their ending.
    pub checkpoint: String,
    /// Name of the trainer in v2.
    pub trainer: String,
    /// Slope of the leaky rectifiers for negative values.
    pub slope: f64,
    /// Axes that are mirrored in prediction; none: all.
    pub mirror_axes: Option<Vec<usize>>,
    /// Overlapping regions instead of labels.
    pub regions: Option<Regions>,
    /// `dataset.json` of v1, for the names of the labels.
    pub description: Option<PathBuf>,
}

/// The stage among v1's constructor arguments.
const STAGE: usize = 5;

/// Converts a model; returns how many folds it has.
///
/// # Errors
/// Returns an error for networks or methods that v2 does not have, or an I/O error.
pub fn model_to_v2(how: &ToV2) -> Result<usize> {
    create(&how.to)?;
    for fold in &how.folds {
        let path = how.from.join(fold).join(format!("{}.model", how.checkpoint));
        how.fold(&path, fold).with_context(|| path.display().to_string())?;
    }
    Ok(how.folds.len())
}

impl ToV2 {
    fn fold(&self, path: &Path, fold: &str) -> Result<()> {
        let info = pickle::load(&path.with_extension("model.pkl"))?;
        let plans =
            records::plans_from_pickle(info.get("plans").context("the .pkl beside it has no plans")?)?;
        let loaded = torch_zip::load(path)?;
        let weights = loaded.root.get("state_dict").context("it has no state_dict")?;
        let mut network = state_v1::read(tensors::read(weights, &loaded)?)?;
        let outputs = self.regions.as_ref().map_or(plans.num_classes + 1, |regions| regions.regions.len());
        let previous = if self.configuration == CASCADE { plans.num_classes } else { 0 };
        let channels = plans.modalities.len() + previous;
        ensure!(
            network.channels() == channels && network.classes() == outputs,
            "its network has {} channels and {} outputs, and the plans {channels} and {outputs}",
            network.channels(),
            network.classes()
        );
        network.fit_kernels_to_v2();
        let stage = self.stage(&info, &plans);
        let architecture = made(&network, self.slope)?;
        let own = plans_of_model(&self.task, &plans, stage, &self.configuration, architecture)?;
        let dataset = description(&plans, self.regions.as_ref(), self.description.as_deref())?;
        let (mut all, mut entries) = (Vec::new(), Vec::new());
        for (name, values) in state_v2::write(&network) {
            let tensor = Pickle::Tensor(all.len());
            all.push(tensors::data(&values));
            entries
                .extend(state_v2::names(&name).into_iter().map(|name| (Pickle::Str(name), tensor.clone())));
        }
        let number = fold.trim_start_matches("fold_");
        let axes = self.mirror_axes.clone().unwrap_or_else(|| (0..network.axes()).collect());
        let epoch = loaded.root.get("epoch").and_then(Pickle::as_i64).unwrap_or(0);
        let root = Pickle::dict(vec![
            ("network_weights", Pickle::OrderedDict(entries)),
            ("optimizer_state", Pickle::None),
            ("grad_scaler_state", Pickle::None),
            ("logging", Pickle::dict(Vec::new())),
            ("_best_ema", Pickle::None),
            ("current_epoch", Pickle::Int(epoch)),
            (
                "init_args",
                Pickle::dict(vec![
                    ("plans", tensors::to_pickle(&own)),
                    ("configuration", Pickle::str(&self.configuration)),
                    ("fold", number.parse().map_or_else(|_| Pickle::str(number), Pickle::Int)),
                    ("dataset_json", tensors::to_pickle(&dataset)),
                ]),
            ),
            ("trainer_name", Pickle::str(&self.trainer)),
            (
                "inference_allowed_mirroring_axes",
                Pickle::Tuple(axes.into_iter().map(|axis| Pickle::Int(axis as i64)).collect()),
            ),
        ]);
        let to = self.to.join(format!("fold_{number}"));
        create(&to)?;
        torch_zip::save(&to.join("checkpoint_final.pth"), &Checkpoint { root, tensors: all })?;
        self.describe(&own, &dataset)
    }

    fn stage(&self, info: &Pickle, plans: &Plans) -> usize {
        let stored =
            info.get("init").and_then(|init| init.items()?.get(STAGE)).and_then(|stage| match stage {
                Pickle::Int(stage) => usize::try_from(*stage).ok(),
                _ => None,
            });
        let stages = plans.plans_per_stage.len();
        let is_full = matches!(self.configuration.as_str(), "3d_fullres" | CASCADE);
        let default = if is_full { stages.saturating_sub(1) } else { 0 };
        stored.filter(|stage| *stage < stages).unwrap_or(default)
    }

    fn describe(&self, plans: &Value, dataset: &Value) -> Result<()> {
        let fingerprint = Value::Object(serde_json::Map::new());
        for (name, content) in
            [("plans.json", plans), ("dataset.json", dataset), ("dataset_fingerprint.json", &fingerprint)]
        {
            json::save_in_order(&self.to.join(name), &content.clone().into())?;
        }
        Ok(())
    }
}
