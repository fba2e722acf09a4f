//! From v1 to v2 and back: plans and trained models. The network of both is the plain U-Net, `Generic_UNet` there and
//! `PlainConvUNet` here, whose parameters are the same tensors under other names.

mod class_v1;
mod model_to_v1;
mod model_to_v2;
mod network;
mod other_networks;
mod plans_to_v1;
mod plans_to_v2;
mod state_v1;
mod state_v2;
mod tensors;
mod widen;

pub use class_v1::REGIONS_IN_V1;
pub use model_to_v1::{ToV1, model_to_v1, trainer_in_v1};
pub use model_to_v2::{ToV2, model_to_v2};
pub use other_networks::RESIDUAL;
pub use plans_to_v1::plans_to_v1;
pub use plans_to_v2::{Task, plans_to_v2};
