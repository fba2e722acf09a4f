//! The host's side: from an entry of a plugin's manifest to a component of the registry.

use std::sync::Arc;

use abi_stable::std_types::RStr;

use super::create::create;
use super::created::Created;
use super::received::surrounded;
use super::root::PluginRootRef;
use super::{AbiResult, contain, json, to_abi};
use super::{
    augmentation, format, logger, normalization, planner, postprocessor, preprocessor, resampler, sampler,
    schedule, splitter, transform,
};
use crate::{Component, Config, Error, Factory, Info, Kind, Result};

/// Turns an entry of a plugin's manifest into an entry of the registry: its factory calls the plugin and implements the
/// author's trait on what comes back. `plugin` is put in front of every error.
pub type Import = fn(root: PluginRootRef, info: Info, plugin: &str) -> Component;

/// The other side's `create` for one component.
pub type Create = Arc<dyn Fn(&Config) -> AbiResult<Created> + Send + Sync>;

/// Makes a component on the other side.
///
/// # Errors
/// The error of the other side, with `label` in front.
pub fn created(create: &Create, config: &Config, label: &str) -> Result<Created> {
    surrounded(label, "create", || create(config)).map_err(|error| error.within(label))
}

/// What errors about a component of the host's registry begin with, in a plugin.
#[must_use]
pub fn label_of_host(kind: Kind, name: &str) -> String {
    format!("{kind} {name} of the host")
}

/// The error for a component of another kind than the manifest promises.
#[must_use]
pub fn another_kind(label: &str) -> Error {
    Error::message(format!("{label}: the plugin made another kind of component"))
}

macro_rules! factory {
    ($variant:ident, $import:path, $create:ident, $label:ident) => {
        Factory::$variant(Box::new(move |config| match created(&$create, config, &$label)? {
            Created::$variant(object) => $import(object, $label.clone()),
            _ => Err(another_kind(&$label)),
        }))
    };
}

/// As `factory!`, for a kind that was added after the first minor.
macro_rules! later_factory {
    ($variant:ident, $import:path, $create:ident, $label:ident) => {
        Factory::$variant(Box::new(move |config| match created(&$create, config, &$label)? {
            Created::Later(object) => match object.open() {
                Some(object) => $import(object, $label.clone()),
                None => Err(another_kind(&$label)),
            },
            _ => Err(another_kind(&$label)),
        }))
    };
}

/// An [`Import`] for programs without tensors: architectures, losses and trainers are known by name only.
#[must_use]
pub fn import(root: PluginRootRef, info: Info, plugin: &str) -> Component {
    let create = calling(root, &info);
    without_tensors(create, info, plugin)
}

/// The same component behind both adapters, in this image: every call goes the way it would go to a plugin. For tests
/// and measurements. Components that need tensors are left as they are: nnunet-plugin-torch has this function for them.
///
/// ```
/// use nnunet_plugin_api::abi::v1::through_adapters;
/// use nnunet_plugin_api::ndarray::Array3;
/// use nnunet_plugin_api::{Component, Config, Factory, Info, Kind, LabelVolume, Postprocessor, Result};
///
/// struct Panics;
/// impl Postprocessor for Panics {
///     fn apply(&self, _labels: &mut LabelVolume) -> Result<()> { panic!("index out of range") }
/// }
///
/// let info = Info::new(Kind::Postprocessor, "Panics", "Panics.");
/// let component = through_adapters(Component::postprocessor(info, |_| Ok(Box::new(Panics))), "my-plugin");
/// let Factory::Postprocessor(make) = &component.factory else { panic!("another kind") };
/// let mut volume = LabelVolume { labels: Array3::zeros((1, 1, 1)), spacing: [1.0; 3] };
/// let error = make(&Config::new()).unwrap().apply(&mut volume).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "plugin my-plugin, postprocessor Panics: apply: panicked: index out of range",
/// );
/// ```
#[must_use]
pub fn through_adapters(component: Component, plugin: &str) -> Component {
    if matches!(component.factory, Factory::DescriptionOnly | Factory::Tensors(_)) {
        return component;
    }
    let (info, create) = creating(component);
    without_tensors(create, info, plugin)
}

/// A component's description, and its factory as a plugin's `create`.
#[must_use]
pub fn creating(component: Component) -> (Info, Create) {
    let Component { info, factory } = component;
    (info, Arc::new(move |config| contain(|| create(&factory, config))))
}

/// A plugin's `create`, for one entry of its manifest.
#[must_use]
pub fn calling(root: PluginRootRef, info: &Info) -> Create {
    let (kind, name) = (info.kind, info.name.to_string());
    Arc::new(move |config| match json::encode(config) {
        Ok(config) => (root.create())(RStr::from(kind.as_str()), RStr::from(&*name), config.as_rstr()),
        Err(error) => to_abi(Err(error)),
    })
}

/// What errors about a component of a plugin begin with.
#[must_use]
pub fn label(plugin: &str, info: &Info) -> String {
    format!("plugin {plugin}, {} {}", info.kind, info.name)
}

fn without_tensors(create: Create, info: Info, plugin: &str) -> Component {
    let label = label(plugin, &info);
    let factory = match info.kind {
        Kind::Planner => factory!(Planner, planner::import, create, label),
        Kind::Preprocessor => factory!(Preprocessor, preprocessor::import, create, label),
        Kind::Normalization => factory!(Normalization, normalization::import, create, label),
        Kind::Resampler => later_factory!(Resampler, resampler::import, create, label),
        Kind::Sampler => later_factory!(Sampler, sampler::import, create, label),
        Kind::Transform => later_factory!(Transform, transform::import, create, label),
        Kind::Splitter => later_factory!(Splitter, splitter::import, create, label),
        Kind::Schedule => later_factory!(Schedule, schedule::import, create, label),
        Kind::Format => factory!(Format, format::import, create, label),
        Kind::Logger => factory!(Logger, logger::import, create, label),
        Kind::Postprocessor => factory!(Postprocessor, postprocessor::import, create, label),
        Kind::Augmentation => factory!(Augmentation, augmentation::import, create, label),
        Kind::Architecture
        | Kind::Block
        | Kind::Head
        | Kind::Loss
        | Kind::Optimizer
        | Kind::Metric
        | Kind::Trainer => Factory::DescriptionOnly,
    };
    Component { info, factory }
}
