//! The steps from a raw task to preprocessed cases, over all cases of the task.

pub(crate) mod cache_key;
mod crop;
mod fingerprint;
pub(crate) mod parallel;
mod plan;
mod preprocess;
mod references;
pub(crate) mod sizes;
mod task_folders;

pub use crop::{RawCase, crop_case, crop_task};
pub use fingerprint::analyze;
pub use parallel::Limits;
pub use plan::{plan, reuse_plans, write_plans};
pub use preprocess::{Recipe, preprocess_task};
pub use references::copy_references;
pub use task_folders::TaskFolders;
