//! The networks of nnU-Net, with v1's parameter names in v1's order.

mod generic_unet;
mod layers;
mod store;

pub use generic_unet::{GenericUnet, GenericUnetConfig};
pub use store::{Parameter, ParameterStore};

use nnunet_plugin_api::{Component, Registration, inventory};

inventory::submit!(Registration(|| -> Component { generic_unet::component() }));
