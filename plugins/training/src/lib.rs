//! The training engine: batches prepared ahead, optimizer, epochs, online evaluation (v1 `NetworkTrainer`).
//!
//! A training is one [`Engine`]; `epoch_loop.rs` holds the loop over epochs with its steps. The engine neither reads files
//! nor prints: cases come from a [`CaseSource`], and an [`Observer`] is called for each event.

mod batch;
mod batch_on_device;
mod case_source;
mod cases;
mod dummy;
mod epoch_loop;
mod epoch_retry;
mod evaluation;
mod gradients;
mod history;
mod hosted;
mod kept_losses;
mod lr_finder;
mod metrics;
mod networks;
mod non_finite;
mod observer;
mod online_dice;
mod optimizer;
mod pool;
mod sample_losses;
mod sampling;
mod scaler;
mod schedules;
mod snapshot;
mod started_step;
mod state;
mod step_times;
mod stepper;
mod training_step;
mod validation_steps;
mod with_ranks;

#[cfg(test)]
mod sampling_tests;

// Its components are found by name.
use nnunet_sampling as _;

pub use batch::BatchPlan;
pub use case_source::CaseSource;
pub use cases::Cases;
pub use dummy::DummyCase;
pub use evaluation::OnlineEvaluation;
pub use gradients::{clip_gradients, clip_on_device};
pub use history::{EpochRecord, History};
pub use lr_finder::LearningRateSweep;
pub use metrics::MeasuredMetrics;
pub use networks::{BuildNetwork, SecondNetwork, SecondNetworks};
pub use nnunet_metrics::Criterion;
pub use nnunet_plugin_api::Batch;
pub use observer::{EpochOutcome, Observer};
pub use optimizer::{
    Adam, Adan, FromComponent, GroupSettings, Muon, Optimize, Ranger, Setting, Sgd, State, StateValue,
    Trained, grouped, optimizer,
};
pub use sampling::SharedSampler;
pub use scaler::LossScaler;
pub use schedules::Schedules;
pub use state::{Engine, Run, Stopped};
pub use step_times::StepTimes;
