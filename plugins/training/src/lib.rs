//! The training engine: batches prepared ahead, optimiser, epochs, online evaluation (v1 `NetworkTrainer`).
//!
//! Files and printing are the host's: cases come through [`CaseSource`], and what happens is told to an [`Observer`].

mod batch;
mod engine;
mod evaluation;
mod gradients;
mod history;
mod optimizer;
mod pool;

pub use batch::{Batch, BatchPlan, CaseSource};
pub use engine::{Engine, Observer, Run, Stopped};
pub use evaluation::OnlineEvaluation;
pub use gradients::clip_gradients;
pub use history::History;
pub use optimizer::{Adam, Optimize, Ranger, Setting, Sgd, State, StateValue, optimizer};
