//! The stable binary interface of the kinds with tensors: the adapters around authors' and received objects. What
//! crosses is declared in nnunet-plugin-core, so that a plugin built without libtorch fits every host.
#![allow(unsafe_code)]

use nnunet_plugin_core::abi::v1::adapter::{
    Create, another_kind, calling, created, creating, label, restore_modes_with,
};
use nnunet_plugin_core::abi::v1::{Created, PluginRootRef, import, through_adapters as without_tensors};
use nnunet_plugin_core::{Component, Factory, Info, Kind};

pub(crate) mod architecture;
pub(crate) mod block;
mod check;
mod handles;
pub(crate) mod head;
mod hooks;
pub(crate) mod loss;
mod message;
pub(crate) mod metric;
mod modes;
pub(crate) mod optimizer;
pub(crate) mod trainer;
mod training;
mod validation;

pub use modes::leaked_modes;

/// An [`Import`](nnunet_plugin_core::abi::v1::Import) for all kinds.
#[must_use]
pub fn import_with_tensors(root: PluginRootRef, info: Info, plugin: &str) -> Component {
    restore_modes_with(modes::MODES);
    if info.kind.needs_tensors() {
        with_tensors(calling(root, &info), info, plugin)
    } else {
        import(root, info, plugin)
    }
}

/// The same component behind both adapters, in this image: every call goes the way it would go to a plugin. For tests
/// and measurements.
#[must_use]
pub fn through_adapters(component: Component, plugin: &str) -> Component {
    restore_modes_with(modes::MODES);
    if !matches!(component.factory, Factory::Tensors(_)) {
        return without_tensors(component, plugin);
    }
    let (info, create) = creating(component);
    with_tensors(create, info, plugin)
}

fn with_tensors(create: Create, info: Info, plugin: &str) -> Component {
    let label = label(plugin, &info);
    macro_rules! made {
        ($kind:ident, $module:ident) => {
            Component::$module(info, move |config| match created(&create, config, &label)? {
                Created::$kind(object) => $module::import(object, label.clone()),
                _ => Err(another_kind(&label)),
            })
        };
    }
    macro_rules! later {
        ($module:ident) => {
            Component::$module(info, move |config| match created(&create, config, &label)? {
                Created::Later(object) => match object.open() {
                    Some(object) => $module::import(object, label.clone()),
                    None => Err(another_kind(&label)),
                },
                _ => Err(another_kind(&label)),
            })
        };
    }
    match info.kind {
        Kind::Architecture => made!(Architecture, architecture),
        Kind::Head => later!(head),
        Kind::Loss => made!(Loss, loss),
        Kind::Block => later!(block),
        Kind::Optimizer => later!(optimizer),
        Kind::Metric => later!(metric),
        Kind::Trainer => made!(Trainer, trainer),
        _ => Component { info, factory: Factory::DescriptionOnly },
    }
}
