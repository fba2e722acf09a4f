//! The U-Nets of nnU-Net v2: `PlainConvUNet` and `ResidualEncoderUNet` of the package `dynamic_network_architectures`
//! (Isensee et al. 2024), with its parameter names.

mod arch_kwargs;
mod blocks;
mod builder;
mod config;

use nnunet_plugin_api::{
    Architecture, Component, Config, Info, Kind, Network, NetworkSpec, Result, VarFactory, parse_config,
};

use builder::Builder;
pub(crate) use config::EncoderKind;
pub use config::V2UnetConfig;

use crate::replaced::Replaced;
use crate::unet::Unet;

/// U-Net of v2.
#[derive(Debug)]
struct V2Unet {
    kind: EncoderKind,
    config: V2UnetConfig,
    replaced: Replaced,
}

pub(crate) fn component(kind: EncoderKind) -> Component {
    let (name, summary) = match kind {
        EncoderKind::Plain => ("PlainConvUNet", "v2's U-Net."),
        EncoderKind::Residual => ("ResidualEncoderUNet", "v2's U-Net with a residual encoder."),
    };
    let info = Info::new(Kind::Architecture, name, summary).with_config::<V2UnetConfig>();
    Component::architecture(info, move |config| {
        let config = read(config)?;
        let replaced = Replaced::new(&config.replace, ["norm", "nonlin"])?;
        Ok(Box::new(V2Unet { kind, config, replaced }))
    })
}

/// Parameters, or the `arch_kwargs` of v2's plans.
fn read(config: &Config) -> Result<V2UnetConfig> {
    if arch_kwargs::is_v2s(config) { arch_kwargs::read(config) } else { parse_config(config) }
}

impl Architecture for V2Unet {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let config = self.config.completed(self.kind, spec);
        config.check(spec.patch_size.len())?;
        let builder = Builder { config: &config, spec, replaced: &self.replaced };
        let encoder = match self.kind {
            EncoderKind::Plain => builder.plain_encoder(vars)?,
            EncoderKind::Residual => {
                let stem = builder.stem(vars)?;
                let mut stages = builder.residual_encoder(vars)?;
                if let Some(first) = stages.first_mut() {
                    first.insert(0, Box::new(stem));
                }
                stages
            }
        };
        Ok(Box::new(Unet::new(encoder, builder.decoder(vars)?)))
    }
}
