//! The built-in components. A statically linked crate that nobody names contributes nothing to `inventory`: they are
//! named here.

use anyhow::Result;
use nnunet_plugin_core::{Component, Factory, Info, Kind, Registration, inventory};

use crate::registry::{Origin, Registry};

/// What the part of the program that has tensors knows, as it describes itself (`nnunet-torch plugins docs --tensors
/// --array`); `cargo reference` writes it.
const WITH_TENSORS: &str = include_str!("with_tensors.json");

/// A registry with all built-ins. Where tensors are not linked in, components that need them are known by description.
///
/// # Errors
/// Returns an error for two built-ins of one name.
pub fn built_in() -> Result<Registry> {
    let mut registry = Registry::new();
    for registration in inventory::iter::<Registration>() {
        registry.register((registration.0)(), "", Origin::BuiltIn, false)?;
    }
    let linked = |kind: Kind| registry.entries().iter().any(|entry| entry.component.info.kind == kind);
    if !linked(Kind::Architecture) {
        for info in described()? {
            let component = Component { info, factory: Factory::DescriptionOnly };
            registry.register(component, "", Origin::BuiltIn, false)?;
        }
    }
    Ok(registry)
}

fn described() -> Result<Vec<Info>> {
    Ok(serde_json::from_str(WITH_TENSORS)?)
}
