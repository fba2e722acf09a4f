//! The part of nnunet-plugin-api that needs no tensors. Authors of plugins depend on nnunet-plugin-api, which
//! re-exports everything here; the program `nnunet`, which does not link libtorch, depends on this crate.
//!
//! * [`vocabulary`]: the data that the steps exchange (fingerprint, plans, case properties, blueprint).
//! * The traits that authors implement: [`ImageFormat`], [`Planner`], [`Preprocessor`], [`Normalization`], [`Resampler`],
//!   [`Splitter`], [`Sampler`], [`Transform`], [`Schedule`], [`Augmentation`], [`ExperimentLogger`] and [`Postprocessor`].
//! * [`Component`] and [`Registration`]: how a component enters the registry, built-in or not.
//! * [`host`]: services of the program that runs the component (log, progress, random seed, threads).
//! * [`abi`]: the stable binary interface, which [`export_plugin!`] takes care of.

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
mod resampler;
mod sampler;
mod schedule;
pub mod schema;
mod splitter;
#[doc(hidden)]
pub mod suggestion;
mod tensor_factory;
pub mod tensors;
mod transform;
mod variant;
pub mod vocabulary;

pub use augmentation::{Augmentation, AugmentationContext, Sample};
pub use chain::parent_chain;
pub use component::{Component, Factory, Registration};
pub use config::{Config, overlay, parse_config};
pub use error::{Error, Result};
pub use format::{ImageFormat, ImageHeader, ImageVolume};
pub use info::Info;
pub use kind::Kind;
pub use logger::{EpochLog, ExperimentLogger, RunEnd, RunInfo};
pub use normalization::{Normalization, NormalizationContext, normalize_channel};
pub use planner::{Planner, PlannerSettings, Shorten, SpacingRule, StartPatch, Topology, VramEstimate};
pub use planner_v2::{V2Network, V2PlannerSettings, V2Resampling};
pub use postprocessor::{LabelVolume, Postprocessor};
pub use preprocessor::{CaseArrays, PreprocessContext, Preprocessor, PreprocessorSettings, StageTarget};
pub use random::RandomStream;
pub use resampler::{
    GridChange, Interpolation, Resampler, resample_image, resample_labels, resample_scores, target_shape,
};
pub use sampler::{Choice, SampleLoss, SampledCase, Sampler, SamplerContext};
pub use schedule::{EpochResults, Schedule, SchedulePoint};
pub use splitter::{Fold, SplitCase, Splitter, split_cases};
pub use tensor_factory::{Make, TensorFactory};
pub use transform::Transform;
pub use variant::Variant;
pub use vocabulary::EpochReport;

/// Re-exported so that a plugin uses the same versions as the host.
pub use inventory;
pub use ndarray;
pub use schemars;
pub use serde;
pub use serde_json;
