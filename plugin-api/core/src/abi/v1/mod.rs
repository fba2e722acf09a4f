//! Version 1 of the stable ABI.
//!
//! Every kind is one file with the same anatomy: the trait as it crosses, `Exported` (around the author's object, in
//! the plugin) and `Imported` (around the received one, in the host).

// What sabi_trait generates is public, in unnameable places.
#![allow(unreachable_pub, non_local_definitions)]

mod architecture;
pub(crate) mod augmentation;
mod block;
mod create;
mod created;
mod epoch;
pub(crate) mod format;
mod guard;
mod head;
mod hook;
mod host;
mod host_components;
mod import;
mod json;
mod later;
pub(crate) mod logger;
mod loss;
mod metric;
pub(crate) mod normalization;
mod optimizer;
pub(crate) mod planner;
pub(crate) mod postprocessor;
pub(crate) mod preprocessor;
mod received;
pub(crate) mod resampler;
mod root;
pub(crate) mod sampler;
pub(crate) mod schedule;
pub(crate) mod splitter;
mod tensor;
mod trainer;
pub(crate) mod transform;

/// What the adapters of both crates (this one and nnunet-plugin-torch) are made of. Not for authors, and not stable.
#[doc(hidden)]
pub mod adapter {
    pub use super::architecture::{
        ArchitectureAbi, ArchitectureAbi_TO, ArchitectureObject, NetworkAbi, NetworkAbi_TO, NetworkObject,
        VarFactoryAbi,
    };
    pub use super::block::{BlockAbi, BlockAbi_TO, BlockObject, LayerAbi, LayerAbi_TO, LayerObject};
    pub use super::create::create;
    pub use super::epoch::EpochReportAbi;
    pub use super::guard::{Guarded, contain, from_abi};
    pub use super::head::{HeadAbi, HeadAbi_TO, HeadObject};
    pub use super::hook::{Lent, Message, TrainingAbi};
    pub use super::host_components::{create_in_host, later_in_host, offer_components};
    pub use super::import::{Create, another_kind, calling, created, creating, label, label_of_host};
    pub use super::json::{apply_change, decode, decode_settings, encode, encode_change};
    pub use super::later::Opened;
    pub use super::loss::{LossAbi, LossAbi_TO, LossObject};
    pub use super::metric::{MetricAbi, MetricAbi_TO, MetricObject};
    pub use super::optimizer::{OptimizerAbi, OptimizerAbi_TO, OptimizerObject};
    pub use super::received::{Received, ThreadModes, restore_modes_with, surrounded};
    pub use super::resampler::ResamplerObject;
    pub use super::sampler::SamplerObject;
    pub use super::schedule::ScheduleObject;
    pub use super::splitter::SplitterObject;
    pub use super::tensor::TensorHandle;
    pub use super::trainer::{TrainerAbi, TrainerAbi_TO, TrainerObject};
    pub use super::transform::TransformObject;
}

pub use created::Created;
pub use guard::{AbiError, ErrorCode, to_abi};
pub(crate) use guard::{contain, from_abi};
pub use host::{HostServices, HostServicesRef, Rounds};
pub(crate) use host::{parallel_for as parallel_rounds, services};
pub use import::{Import, import, through_adapters};
pub use later::LaterObject;
pub(crate) use received::surrounded;
pub use root::{ManifestEntry, PluginRoot, PluginRootRef, root_module};

/// Result of every call across the boundary.
pub type AbiResult<T> = abi_stable::std_types::RResult<T, AbiError>;
