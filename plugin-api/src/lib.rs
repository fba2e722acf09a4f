//! The crate that plugins of nnunet depend on, and the only one.
//!
//! * [`vocabulary`]: the data that the steps exchange (fingerprint, plans, case properties, blueprint).
//! * The traits that authors implement: [`ImageFormat`], [`Planner`], [`Preprocessor`], [`Normalization`],
//!   [`Augmentation`], [`ExperimentLogger`], [`Postprocessor`] and, with the feature `torch`, `Architecture`,
//!   `Loss` and `Trainer`. They use types of std, [`ndarray`] and `tch`.
//! * [`Component`] and [`Registration`]: how a component enters the registry, built-in or not.
//! * [`host`]: services of the program that runs the component (log, progress, random seed, threads).
//! * [`abi`]: the stable binary interface. Authors only write [`export_plugin!`].
//!
//! It re-exports nnunet-plugin-core, the part without tensors, and with the feature `torch` nnunet-plugin-torch.
//! Within a Cargo workspace the features of all crates are united: a plugin without tensors that lives beside one
//! with tensors names nnunet-plugin-core as its dependency, and does not link libtorch then.

pub use nnunet_plugin_core::*;

/// Services of the program that runs a component (the host). Those without tensors also work without a host, for example in
/// the tests of a plugin; components of the host need one.
pub mod host {
    pub use nnunet_plugin_core::host::*;
    #[cfg(feature = "torch")]
    pub use nnunet_plugin_torch::host::*;
}

/// The stable binary interface between the host and a plugin.
pub mod abi {
    pub use nnunet_plugin_core::abi::*;

    /// Version 1.
    pub mod v1 {
        pub use nnunet_plugin_core::abi::v1::*;
        #[cfg(feature = "torch")]
        pub use nnunet_plugin_torch::abi::{import_with_tensors, leaked_modes, through_adapters};
    }
}

#[cfg(feature = "torch")]
pub use nnunet_plugin_torch::{
    Architecture, Batch, Block, BlockSpec, Flow, Head, HeadFacts, HeadTask, Init, Layer, Loss, LossContext,
    LossInput, MAIN_NETWORK, Metric, MetricInput, MetricValue, Metrics, NamedParameter, Network, NetworkSpec,
    OnlineDice, Optimized, Optimizer, Prefixed, Progress, Tally, TaskHead, TensorFactories, Trainer,
    TrainerContext, TrainerState, Training, ValidationCase, VarFactory, Written, built_in_step,
    export_plugin, tch,
};
