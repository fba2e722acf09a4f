//! The steps from a raw task to preprocessed cases, over all cases of the task.

pub(crate) mod cache_key;
mod crop;
mod fingerprint;
pub(crate) mod parallel;
mod part;
mod plan;
mod preprocess;
mod references;
pub(crate) mod sizes;
mod task_folders;

pub use crop::{RawCase, crop_case, crop_task, left_to_crop};
pub use fingerprint::{analyze, measure};
pub use parallel::Limits;
pub use part::Part;
pub use plan::{plan, reuse_plans, write_plans};
pub use preprocess::{Recipe, preprocess_task};
pub use references::copy_references;
pub use task_folders::TaskFolders;
