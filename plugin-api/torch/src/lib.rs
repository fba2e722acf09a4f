//! The part of nnunet-plugin-api with tensors: the traits [`Architecture`], [`Loss`] and [`Trainer`], and how their
//! objects cross the stable ABI. Authors of plugins depend on nnunet-plugin-api with the feature `torch`.

pub mod abi;
mod architecture;
mod batch;
mod block;
mod factory;
mod head;
pub mod host;
mod loss;
mod metric;
mod optimizer;
mod prefixed;
mod task_head;
mod trainer;
mod trainer_state;
mod training;
mod validation_case;

pub use architecture::{Architecture, Init, Network, NetworkSpec, VarFactory};
pub use batch::Batch;
pub use block::{Block, BlockSpec, Layer};
pub use factory::TensorFactories;
pub use head::{Head, HeadFacts, HeadTask, OnlineDice, Written};
pub use loss::{Loss, LossContext, LossInput};
pub use metric::{Metric, MetricInput, MetricValue};
pub use optimizer::{Optimized, Optimizer};
pub use prefixed::Prefixed;
pub use task_head::TaskHead;
pub use trainer::{Flow, Trainer, TrainerContext};
pub use trainer_state::{Metrics, Tally, TrainerState};
pub use training::{MAIN_NETWORK, NamedParameter, Progress, Training, built_in_step};
pub use validation_case::ValidationCase;

/// Re-exported so that a plugin uses the same versions as the host.
pub use nnunet_plugin_core;
pub use tch;

use nnunet_plugin_core::{Config, Error, Fold, Result, SchedulePoint, vocabulary};

/// Makes a crate with architectures, losses or trainers a plugin. It does what `export_plugin!` of nnunet-plugin-core
/// does; in addition the handshake names the version of libtorch, which must be the host's.
#[macro_export]
macro_rules! export_plugin {
    () => {
        $crate::nnunet_plugin_core::__export_plugin!(
            $crate::nnunet_plugin_core::abi::Handshake::new(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
                env!("CARGO_PKG_LICENSE"),
                cfg!(panic = "unwind"),
            )
            .with_tensors()
        );
    };
}
