//! What a plugin of nnunet depends on, and all it depends on.
//!
//! * [`vocabulary`]: the plain data that flows between the steps (fingerprint, plans, case properties, blueprint).
//! * the author traits: [`ImageFormat`], [`Planner`], [`Preprocessor`], [`Normalization`], [`Augmentation`],
//!   [`ExperimentLogger`], [`Postprocessor`] and, with the feature `torch`, `Architecture`, `Loss` and `Trainer`.
//!   They use std types, [`ndarray`] views and `tch` tensors only; every method
//!   with a default body has the parent's behaviour.
//! * [`Component`] and [`Registration`]: how a component enters the registry, built-in or not.
//! * [`abi`]: the stable binary interface. Authors never see it: [`export_plugin!`] is all they write.
//!
//! A built-in method and a third party's go through the same types and the same registry.

pub mod abi;
mod augmentation;
mod chain;
mod component;
mod config;
mod error;
mod format;
pub mod host;
mod info;
mod kind;
mod logger;
mod normalization;
mod planner;
mod planner_v2;
mod postprocessor;
mod preprocessor;
mod random;
pub mod schema;
pub mod vocabulary;

#[cfg(feature = "torch")]
mod architecture;
#[cfg(feature = "torch")]
mod loss;
#[cfg(feature = "torch")]
mod trainer;

pub use augmentation::{Augmentation, AugmentationContext, Sample};
pub use chain::parent_chain;
pub use component::{Component, Factory, Make, Registration};
pub use config::{Config, overlay, parse_config};
pub use error::{Error, Result};
pub use format::{ImageFormat, ImageHeader, ImageVolume};
pub use info::Info;
pub use kind::Kind;
pub use logger::{EpochLog, ExperimentLogger, RunEnd, RunInfo};
pub use normalization::{Normalization, NormalizationContext};
pub use planner::{Planner, PlannerSettings, Shorten, SpacingRule, StartPatch, Topology, VramEstimate};
pub use planner_v2::{V2Network, V2PlannerSettings, V2Resampling};
pub use postprocessor::{LabelVolume, Postprocessor};
pub use preprocessor::{CaseArrays, PreprocessContext, Preprocessor, PreprocessorSettings, StageTarget};
pub use random::RandomStream;
pub use vocabulary::EpochReport;

#[cfg(feature = "torch")]
pub use architecture::{Architecture, Init, Network, NetworkSpec, VarFactory};
#[cfg(feature = "torch")]
pub use loss::{Loss, LossContext};
#[cfg(feature = "torch")]
pub use trainer::{Flow, Trainer, TrainerContext};

/// Re-exported so that a plugin uses exactly the host's versions.
pub use inventory;
pub use ndarray;
pub use schemars;
pub use serde;
pub use serde_json;
#[cfg(feature = "torch")]
pub use tch;
