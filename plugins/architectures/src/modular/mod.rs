//! v1's modular U-Nets: an encoder and a decoder of plain, residual or pre-activation blocks (He et al. 2016).
//!
//! Memory estimates of v1 (`compute_approx_vram_consumption`) at its reference patches, 2D and 3D, by which planners
//! size patches: `FabiansUNet` 1244233721 and 1230348801, `PlainConvUNet` 1167982592 and 1152286720, `ResidualUNet` and
//! `PreActResidualUNet` 858931200 and 727842816, `FabiansPreActUNet` 1792460800 and 1318592512.

mod block;
mod config;
mod decoder;
mod encoder;
mod network;

use nnunet_plugin_api::{
    Architecture, Component, Info, Kind, Network, NetworkSpec, Result, VarFactory, parse_config,
};

use config::Layout;
pub use config::{ModularConfig, ModularFamily};

/// A U-Net of one family.
#[derive(Debug, Clone)]
pub struct ModularUnet {
    family: ModularFamily,
    config: ModularConfig,
}

impl ModularUnet {
    /// With these parameters.
    #[must_use]
    pub fn new(family: ModularFamily, config: ModularConfig) -> Self {
        Self { family, config }
    }
}

impl Architecture for ModularUnet {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let layout = Layout::new(self.family, &self.config, spec)?;
        Ok(Box::new(network::build(vars, &layout)?))
    }
}

pub(crate) fn component(family: ModularFamily) -> Component {
    let info = Info::new(Kind::Architecture, family.name(), family.summary());
    Component::architecture(info.with_config::<ModularConfig>(), move |config| {
        Ok(Box::new(ModularUnet::new(family, parse_config(config)?)))
    })
}
