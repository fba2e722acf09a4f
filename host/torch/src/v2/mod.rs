//! Models of nnU-Net v2: read and used as `nnUNetv2_predict` does. Nothing here is shared with v1's path but the tools.

mod cascade;
mod model;
mod plans;
mod predict;
mod preprocess;
mod resampling;

pub(crate) use predict::run;
