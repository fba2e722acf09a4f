//! The root module: what a plugin offers and how to make it.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{ROption, RStr, RString, RVec};

use super::create::create;
use super::created::Created;
use super::guard::contain;
use super::host::{self, HostServicesRef};
use super::{AbiResult, json};
use crate::{Component, Error, Info, Registration, Result};

/// One component in a plugin's manifest.
#[repr(C)]
#[derive(Debug, Clone, StableAbi)]
pub struct ManifestEntry {
    /// [`Info`] as JSON.
    pub info: RString,
}

/// The root module. Never grows within a major: what comes later goes through `extension`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRootRef)))]
#[sabi(missing_field(panic))]
pub struct PluginRoot {
    /// All components of the plugin.
    pub manifest: extern "C" fn(HostServicesRef) -> AbiResult<RVec<ManifestEntry>>,
    /// Makes the component of a kind and name from its parameters (JSON object).
    pub create: extern "C" fn(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created>,
    /// Reserved: answers nothing in this version.
    #[sabi(last_prefix_field)]
    pub extension: extern "C" fn(request: RStr<'_>) -> ROption<RString>,
}

impl RootModule for PluginRootRef {
    abi_stable::declare_root_module_statics! {PluginRootRef}
    const BASE_NAME: &'static str = "nnunet_plugin";
    const NAME: &'static str = "nnunet plugin";
    const VERSION_STRINGS: VersionStrings = VersionStrings::new("1.0.0");
}

/// The root module of this image, over everything registered in it.
#[must_use]
pub fn root_module() -> PluginRootRef {
    PluginRoot { manifest, create: create_component, extension: no_extension }.leak_into_prefix()
}

extern "C" fn manifest(services: HostServicesRef) -> AbiResult<RVec<ManifestEntry>> {
    host::install(services);
    contain(|| {
        components().map(|component| Ok(ManifestEntry { info: json::encode(&component.info)? })).collect()
    })
}

extern "C" fn create_component(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created> {
    contain(|| {
        let component = find(kind.as_str(), name.as_str())?;
        create(&component.factory, &json::decode(config.as_str())?)
    })
}

extern "C" fn no_extension(_request: RStr<'_>) -> ROption<RString> {
    ROption::RNone
}

fn components() -> impl Iterator<Item = Component> {
    inventory::iter::<Registration>().map(|registration| (registration.0)())
}

fn find(kind: &str, name: &str) -> Result<Component> {
    let wanted = |info: &Info| info.kind.as_str() == kind && info.name == name;
    components()
        .find(|component| wanted(&component.info))
        .ok_or_else(|| Error::message(format!("this plugin has no {kind} `{name}`")))
}
