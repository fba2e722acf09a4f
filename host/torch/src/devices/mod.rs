//! Where networks run. A job's device is resolved here once, before its first tensor; everything else takes it from the
//! job.

mod choice;
mod cuda;
mod facts;
mod needs;
mod packages;

pub(crate) use choice::{gpu_count, name, resolve, resolve_all, set_numerics};
pub(crate) use facts::{facts, nccl_version};
pub(crate) use needs::{Needs, needs};
