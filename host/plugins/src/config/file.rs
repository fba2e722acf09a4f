//! The configuration file as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nnunet_plugin_core::vocabulary::{Blueprint, ComponentChoice, Optimizer};
use nnunet_plugin_core::{Config as Table, Kind, PlannerSettings, PreprocessorSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Components of one kind as tables of changes on a parent, by name.
pub type Tables = BTreeMap<String, Table>;

/// One configuration file.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "nnunet.toml")]
pub struct File {
    /// What is used where the command line names nothing.
    #[serde(rename = "use")]
    pub choices: Choices,
    /// v1's folders, where the environment does not name them; relative to this file.
    pub folders: FolderTable,
    /// Planners.
    #[schemars(with = "BTreeMap<String, Extension<PlannerSettings>>")]
    pub planners: Tables,
    /// Preprocessors.
    #[schemars(with = "BTreeMap<String, Extension<PreprocessorSettings>>")]
    pub preprocessors: Tables,
    /// Resamplers.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub resamplers: Tables,
    /// Splitters.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub splitters: Tables,
    /// Architectures.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub architectures: Tables,
    /// Blocks of networks.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub blocks: Tables,
    /// Losses.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub losses: Tables,
    /// Optimizers.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub optimizers: Tables,
    /// Schedules of the learning rate.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub schedules: Tables,
    /// Heads.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub heads: Tables,
    /// Metrics.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub metrics: Tables,
    /// Trainers.
    #[schemars(with = "BTreeMap<String, Extension<Blueprint>>")]
    pub trainers: Tables,
    /// Samplers.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub samplers: Tables,
    /// Transforms.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub transforms: Tables,
    /// Augmentations.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub augmentations: Tables,
    /// Loggers that every training reports to, by name, with their parameters.
    pub loggers: Tables,
    /// Postprocessors.
    #[schemars(with = "BTreeMap<String, ParameterTable>")]
    pub postprocessors: Tables,
    /// Plugins by a name of your choice.
    pub plugins: BTreeMap<String, PluginTable>,
    /// Where it was read.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its scope.
    #[serde(skip)]
    pub scope: Scope,
}

/// A component that starts from another one's settings.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "describes what is written")]
struct Extension<T> {
    /// The component it starts from.
    extends: String,
    /// What changes.
    #[serde(flatten)]
    changes: T,
}

/// A component that starts from another one's parameters; `nnunet plugins inspect` shows them.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "describes what is written")]
struct ParameterTable {
    /// The component it starts from.
    extends: String,
    /// What changes.
    #[serde(flatten)]
    changes: Table,
}

/// Whether a configuration file is the project's or the user's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Of the project, or named by the user for this run.
    #[default]
    Project,
    /// Of the user, for all projects.
    User,
}

/// `[use]`: what a project uses where the command line names nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// 3D planner.
    #[serde(rename = "planner")]
    pub planner_3d: Option<String>,
    /// 2D planner.
    pub planner_2d: Option<String>,
    /// Preprocessor of 3D plans, instead of the planner's.
    pub preprocessor: Option<String>,
    /// Identifier of the plans to train and predict with.
    pub plans: Option<String>,
    /// Trainer.
    pub trainer: Option<String>,
    /// Network, instead of the trainer's: a name, or a table of a name and parameters.
    pub architecture: Option<ComponentChoice>,
    /// Loss, instead of the trainer's.
    pub loss: Option<ComponentChoice>,
    /// Augmentation, instead of the trainer's.
    pub augmentation: Option<ComponentChoice>,
    /// Optimizer, instead of the trainer's.
    pub optimizer: Option<Optimizer>,
    /// Postprocessor where `-pp` names none: of `apply_postprocessing`, `ensemble`, and `predict`, where it replaces the
    /// model's own.
    pub postprocessor: Option<ComponentChoice>,
    /// Splitter of tasks whose folds are not made yet, and of `split`.
    pub splitter: Option<ComponentChoice>,
    /// For the commands of nnU-Net v2, whose plans and trainers have other names.
    pub v2: V2Choices,
}

/// `[use.v2]`: what v2's commands use where the command line names nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct V2Choices {
    /// Planner.
    pub planner: Option<String>,
    /// Identifier of the plans.
    pub plans: Option<String>,
    /// Trainer.
    pub trainer: Option<String>,
    /// Splitter of data sets whose folds are not made yet, and of `split`.
    pub splitter: Option<ComponentChoice>,
}

impl Choices {
    /// The same; what is not chosen is as in `other`.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let text = |a: Option<String>, b: &Option<String>| a.or_else(|| b.clone());
        let component = |a: Option<ComponentChoice>, b: &Option<ComponentChoice>| a.or_else(|| b.clone());
        Self {
            planner_3d: text(self.planner_3d, &other.planner_3d),
            planner_2d: text(self.planner_2d, &other.planner_2d),
            preprocessor: text(self.preprocessor, &other.preprocessor),
            plans: text(self.plans, &other.plans),
            trainer: text(self.trainer, &other.trainer),
            architecture: component(self.architecture, &other.architecture),
            loss: component(self.loss, &other.loss),
            augmentation: component(self.augmentation, &other.augmentation),
            optimizer: self.optimizer.or_else(|| other.optimizer.clone()),
            postprocessor: component(self.postprocessor, &other.postprocessor),
            splitter: component(self.splitter, &other.splitter),
            v2: V2Choices {
                planner: text(self.v2.planner, &other.v2.planner),
                plans: text(self.v2.plans, &other.v2.plans),
                trainer: text(self.v2.trainer, &other.v2.trainer),
                splitter: component(self.v2.splitter, &other.v2.splitter),
            },
        }
    }

    /// The components that may be chosen with parameters.
    #[must_use]
    pub fn with_parameters(&self) -> [(Kind, Option<&ComponentChoice>); 5] {
        let optimizer = match &self.optimizer {
            Some(Optimizer::Other(choice)) => Some(choice),
            _ => None,
        };
        [
            (Kind::Architecture, self.architecture.as_ref()),
            (Kind::Loss, self.loss.as_ref()),
            (Kind::Augmentation, self.augmentation.as_ref()),
            (Kind::Optimizer, optimizer),
            (Kind::Postprocessor, self.postprocessor.as_ref()),
        ]
    }

    /// Puts the chosen components into a training.
    pub fn apply(&self, blueprint: &mut Blueprint) {
        let chosen = [
            (&self.architecture, &mut blueprint.architecture),
            (&self.loss, &mut blueprint.loss),
            (&self.augmentation, &mut blueprint.augmentation),
        ];
        for (choice, slot) in chosen {
            if let Some(choice) = choice {
                *slot = choice.clone();
            }
        }
        if let Some(optimizer) = &self.optimizer {
            blueprint.optimizer = optimizer.clone();
        }
    }
}

/// `[folders]`: v1's three folders.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FolderTable {
    /// `nnUNet_raw_data_base`.
    pub raw_data_base: Option<PathBuf>,
    /// `nnUNet_preprocessed`.
    pub preprocessed: Option<PathBuf>,
    /// `RESULTS_FOLDER`.
    pub results: Option<PathBuf>,
}

/// A plugin in `[plugins]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PluginTable {
    /// The shared library; relative to this file.
    pub path: PathBuf,
    /// The version it must have, as in Cargo.toml: `"0.2"`, `">=1.1, <2"`.
    #[serde(default)]
    pub version: Option<String>,
    /// The hash it must have; `nnunet plugins pin` writes it.
    #[serde(default)]
    pub sha256: Option<String>,
    /// It may shadow built-ins.
    #[serde(default)]
    pub allow_override: bool,
}

impl File {
    /// The components of a kind this file describes.
    #[must_use]
    pub fn tables(&self, kind: Kind) -> Option<&Tables> {
        Some(match kind {
            Kind::Planner => &self.planners,
            Kind::Preprocessor => &self.preprocessors,
            Kind::Resampler => &self.resamplers,
            Kind::Splitter => &self.splitters,
            Kind::Architecture => &self.architectures,
            Kind::Block => &self.blocks,
            Kind::Loss => &self.losses,
            Kind::Optimizer => &self.optimizers,
            Kind::Sampler => &self.samplers,
            Kind::Schedule => &self.schedules,
            Kind::Head => &self.heads,
            Kind::Metric => &self.metrics,
            Kind::Transform => &self.transforms,
            Kind::Augmentation => &self.augmentations,
            Kind::Trainer => &self.trainers,
            Kind::Postprocessor => &self.postprocessors,
            _ => return None,
        })
    }
}
