//! What a program can make of plugins' components and of tables in configuration files.

use anyhow::Result;
use nnunet_plugin_core::abi::v1::Import;
use nnunet_plugin_core::{Component, Config as Table, Factory, Info};

/// Makes a component from a table of changes.
pub type FromTable = fn(Info, Table) -> Result<Component>;

/// How a program turns descriptions of components into components. It depends on whether the program has tensors.
#[derive(Debug, Clone, Copy)]
pub struct ComponentSet {
    /// Makes registry entries of plugins' components.
    pub import: Import,
    /// Makes a trainer from a table of a configuration file.
    pub trainer: FromTable,
    /// Whether components that use tensors can be made.
    pub tensors: bool,
}

/// The component set of a program without tensors.
pub const WITHOUT_TENSORS: ComponentSet =
    ComponentSet { import: nnunet_plugin_core::abi::v1::import, trainer: description_only, tensors: false };

pub(crate) fn description_only(info: Info, _table: Table) -> Result<Component> {
    Ok(Component { info, factory: Factory::DescriptionOnly })
}
