//! `NAME.model.pkl`: what a v1 checkpoint belongs to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_data::records;
use nnunet_engine::provenance::PluginUse;
use nnunet_engine::registry::Registry;
use nnunet_formats::pickle::{self, Value};
use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice, Plans, Regions};
use nnunet_plugin_api::{Config, Kind, TrainerContext};

use crate::{components, unknown_trainer};

/// The key of our own values in v1's files, which v1 ignores.
pub(crate) const OWN: &str = "nnunet";

/// What `NAME.model.pkl` says of a model.
#[derive(Debug, Clone)]
pub(crate) struct ModelInfo {
    /// v1's constructor arguments.
    pub(crate) init: Value,
    /// The nearest v1 class.
    pub(crate) v1_trainer: String,
    /// The trainer's own name.
    pub(crate) trainer: String,
    /// Plans.
    pub(crate) plans: Plans,
    /// The network.
    pub(crate) architecture: ComponentChoice,
    /// Mirrored axes in prediction; none: all.
    pub(crate) mirror_axes: Option<Vec<usize>>,
    /// What the outputs mean; none: labels, or regions.
    pub(crate) head: Option<ComponentChoice>,
    /// Overlapping regions instead of labels.
    pub(crate) regions: Option<Regions>,
    /// Settings and parameters of the command line.
    pub(crate) set: Config,
    /// Plugins it was made with.
    pub(crate) plugins: Vec<PluginUse>,
}

impl ModelInfo {
    pub(crate) fn to_pickle(&self) -> Result<Value> {
        let axes = self.mirror_axes.as_ref().map_or(Value::None, |axes| Value::ints(axes.iter().copied()));
        let own = Value::dict(vec![
            ("trainer", Value::str(&self.trainer)),
            ("architecture", Value::Str(serde_json::to_string(&self.architecture)?)),
            ("mirror_axes", axes),
            ("head", Value::Str(serde_json::to_string(&self.head)?)),
            ("regions", Value::Str(serde_json::to_string(&self.regions)?)),
            ("set", Value::Str(serde_json::to_string(&self.set)?)),
            ("plugins", Value::Str(serde_json::to_string(&self.plugins)?)),
        ]);
        let class = format!("<class 'nnunet.training.network_training.{0}.{0}'>", self.v1_trainer);
        Ok(Value::OrderedDict(vec![
            (Value::str("init"), self.init.clone()),
            (Value::str("name"), Value::str(&self.v1_trainer)),
            (Value::str("class"), Value::Str(class)),
            (Value::str("plans"), records::plans_to_pickle(&self.plans)),
            (Value::str(OWN), own),
        ]))
    }

    /// Reads the `.pkl` beside a checkpoint. What v1's files do not say follows from the name of the trainer.
    pub(crate) fn load(checkpoint: &Path, registry: &Registry) -> Result<Self> {
        let path = beside(checkpoint);
        Self::from_pickle(&pickle::load(&path)?, registry).with_context(|| path.display().to_string())
    }

    fn from_pickle(value: &Value, registry: &Registry) -> Result<Self> {
        let missing = |key: &str| format!("the key `{key}` is missing");
        let name = value.get("name").and_then(Value::as_str).with_context(|| missing("name"))?.to_owned();
        let plans = records::plans_from_pickle(value.get("plans").with_context(|| missing("plans"))?)?;
        records::check_plans(&plans).context("its plans")?;
        let own = |key: &str| value.get(OWN).and_then(|own| own.get(key));
        let text = |key: &str| own(key).and_then(Value::as_str);
        let (architecture, mirror_axes, head, regions) = match text("architecture") {
            Some(architecture) => (
                serde_json::from_str(architecture)?,
                own("mirror_axes").and_then(Value::to_usize_vec),
                serde_json::from_str(text("head").unwrap_or("null"))?,
                serde_json::from_str(text("regions").unwrap_or("null"))?,
            ),
            None => {
                let blueprint = v1_blueprint(&name, &plans, registry)?;
                (blueprint.architecture, blueprint.mirror_axes, blueprint.head, blueprint.regions)
            }
        };
        Ok(Self {
            init: value.get("init").cloned().unwrap_or(Value::None),
            trainer: text("trainer").unwrap_or(&name).to_owned(),
            v1_trainer: name,
            plans,
            architecture,
            mirror_axes,
            head,
            regions,
            set: serde_json::from_str(text("set").unwrap_or("{}"))?,
            plugins: serde_json::from_str(text("plugins").unwrap_or("[]"))?,
        })
    }
}

/// The blueprint of v1's class of a name. A class of somebody else most likely has the default's network.
fn v1_blueprint(name: &str, plans: &Plans, registry: &Registry) -> Result<Blueprint> {
    if registry.find(Kind::Trainer, name).is_err() {
        let found = unknown_trainer::by_name(name)?;
        let mirror_axes = found.without_mirroring.then(Vec::new);
        return Ok(Blueprint { mirror_axes, ..Blueprint::default() });
    }
    let slices = plans.plans_per_stage.first().is_some_and(|stage| stage.patch_size.len() == 2);
    let configuration = if slices { "2d" } else { "3d_fullres" };
    let context = TrainerContext { configuration: configuration.to_owned(), plans: plans.clone(), stage: 0 };
    Ok(components::resolve_trainer(registry, name, &context)?.blueprint)
}

/// The `.pkl` beside a checkpoint.
pub(crate) fn beside(checkpoint: &Path) -> PathBuf {
    let mut name = checkpoint.as_os_str().to_owned();
    name.push(".pkl");
    name.into()
}
