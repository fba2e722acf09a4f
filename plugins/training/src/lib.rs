//! The training engine: batches prepared ahead, optimiser, epochs, online evaluation (v1 `NetworkTrainer`).
//!
//! Files and printing are the host's: cases come through [`CaseSource`], and what happens is told to an [`Observer`].

mod attempt;
mod batch;
mod dummy;
mod engine;
mod evaluation;
mod faults;
mod finder;
mod gradients;
mod history;
mod observer;
mod optimizer;
mod plateau;
mod pool;
mod regions;
mod scaler;
mod snapshot;
mod step;
mod waits;

#[cfg(test)]
mod sampling_tests;

pub use batch::{Batch, BatchPlan, CaseSource};
pub use dummy::DummyCase;
pub use engine::{Engine, Run, Stopped};
pub use evaluation::OnlineEvaluation;
pub use finder::Sweep;
pub use gradients::{clip_gradients, clip_on_device};
pub use history::History;
pub use observer::{EpochOutcome, Observer};
pub use optimizer::{Adam, Optimize, Ranger, Setting, Sgd, State, StateValue, optimizer};
pub use plateau::Plateau;
pub use scaler::LossScaler;
pub use waits::Waits;
