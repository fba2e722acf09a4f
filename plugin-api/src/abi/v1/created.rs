//! A made component on its way across the boundary. One layout with and without tensors: a plugin built without
//! libtorch fits every host.

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

use super::architecture::ArchitectureObject;
use super::guard::from_abi;
use super::loss::LossObject;
use super::planner::{self, PlannerObject};
use super::postprocessor::{self, PostprocessorObject};
use super::preprocessor::{self, PreprocessorObject};
use super::root::PluginRootRef;
use super::trainer::TrainerObject;
#[cfg(feature = "torch")]
use super::{architecture, loss, trainer};
use crate::{Component, Config, Error, Factory, Info, Kind, Result};

/// A component of any kind.
#[repr(u8)]
#[derive(StableAbi)]
pub enum Created {
    /// A planner.
    Planner(PlannerObject),
    /// A preprocessor.
    Preprocessor(PreprocessorObject),
    /// A postprocessor.
    Postprocessor(PostprocessorObject),
    /// An architecture.
    Architecture(ArchitectureObject),
    /// A loss.
    Loss(LossObject),
    /// A trainer.
    Trainer(TrainerObject),
}

/// Makes a component and wraps it for the boundary.
pub(super) fn create(factory: &Factory, config: &Config) -> Result<Created> {
    match factory {
        Factory::Planner(make) => Ok(Created::Planner(planner::export(make(config)?))),
        Factory::Preprocessor(make) => Ok(Created::Preprocessor(preprocessor::export(make(config)?))),
        Factory::Postprocessor(make) => Ok(Created::Postprocessor(postprocessor::export(make(config)?))),
        #[cfg(feature = "torch")]
        Factory::Architecture(make) => Ok(Created::Architecture(architecture::export(make(config)?))),
        #[cfg(feature = "torch")]
        Factory::Loss(make) => Ok(Created::Loss(loss::export(make(config)?))),
        #[cfg(feature = "torch")]
        Factory::Trainer(make) => Ok(Created::Trainer(trainer::export(make(config)?))),
        Factory::Augmentation(_) => Err(Error::message("augmentations do not cross to a program yet")),
        Factory::Elsewhere => Err(Error::message("needs tensors, which this program does not have")),
    }
}

/// Turns an entry of a plugin's manifest into an entry of the registry: its factory calls the plugin and implements the
/// author's trait on what comes back. `plugin` is put in front of every error.
pub type Import = fn(root: PluginRootRef, info: Info, plugin: &str) -> Component;

macro_rules! factory {
    ($variant:ident, $import:path, $root:ident, $kind:ident, $name:ident, $label:ident) => {
        Factory::$variant(Box::new(move |config| match call_create($root, $kind, &$name, config, &$label)? {
            Created::$variant(object) => $import(object, $label.clone()),
            _ => Err(Error::message(format!("{}: the plugin made another kind of component", $label))),
        }))
    };
}

/// An [`Import`] for programs without tensors: architectures, losses and trainers are known by name only. It does not
/// refer to libtorch, so a program that uses only this one is not linked with it.
#[must_use]
pub fn import(root: PluginRootRef, info: Info, plugin: &str) -> Component {
    let (kind, name) = (info.kind, info.name.to_string());
    let label = format!("plugin {plugin}, {kind} {name}");
    let factory = match kind {
        Kind::Planner => factory!(Planner, planner::import, root, kind, name, label),
        Kind::Preprocessor => factory!(Preprocessor, preprocessor::import, root, kind, name, label),
        Kind::Postprocessor => factory!(Postprocessor, postprocessor::import, root, kind, name, label),
        Kind::Augmentation | Kind::Architecture | Kind::Loss | Kind::Trainer => Factory::Elsewhere,
    };
    Component { info, factory }
}

/// An [`Import`] for all kinds.
#[cfg(feature = "torch")]
#[must_use]
pub fn import_with_tensors(root: PluginRootRef, info: Info, plugin: &str) -> Component {
    let (kind, name) = (info.kind, info.name.to_string());
    let label = format!("plugin {plugin}, {kind} {name}");
    let factory = match kind {
        Kind::Architecture => factory!(Architecture, architecture::import, root, kind, name, label),
        Kind::Loss => factory!(Loss, loss::import, root, kind, name, label),
        Kind::Trainer => factory!(Trainer, trainer::import, root, kind, name, label),
        _ => return import(root, info, plugin),
    };
    Component { info, factory }
}

fn call_create(root: PluginRootRef, kind: Kind, name: &str, config: &Config, label: &str) -> Result<Created> {
    let config = super::json::encode(config)?;
    let made = (root.create())(RStr::from(kind.as_str()), RStr::from(name), config.as_rstr());
    from_abi(made).map_err(|error| error.within(label))
}
