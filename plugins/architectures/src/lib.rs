//! The networks of nnU-Net, with the parameter names of v1 and v2.

mod block;
mod generic_unet;
mod layers;
mod modular;
mod norm;
pub mod probe;
mod replaced;
mod store;
mod unet;
mod v2;

pub use generic_unet::{GenericUnet, GenericUnetConfig, Nonlinearity};
pub use modular::{ModularConfig, ModularFamily, ModularUnet};
pub use norm::Norm;
pub use replaced::Replace;
pub use store::{Parameter, ParameterStore};
pub use v2::V2UnetConfig;

use nnunet_plugin_api::{Component, Registration, inventory};

inventory::submit!(Registration(|| -> Component { generic_unet::component() }));
inventory::submit!(Registration(|| -> Component { v2::component(v2::EncoderKind::Plain) }));
inventory::submit!(Registration(|| -> Component { v2::component(v2::EncoderKind::Residual) }));
inventory::submit!(Registration(|| -> Component { modular::component(ModularFamily::Fabians) }));
inventory::submit!(Registration(|| -> Component { modular::component(ModularFamily::Plain) }));
inventory::submit!(Registration(|| -> Component { modular::component(ModularFamily::Residual) }));
inventory::submit!(Registration(|| -> Component { modular::component(ModularFamily::PreAct) }));
inventory::submit!(Registration(|| -> Component { modular::component(ModularFamily::FabiansPreAct) }));
