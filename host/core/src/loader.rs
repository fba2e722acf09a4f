//! Dynamic plugins: checked and loaded. Never unloaded.
#![allow(unsafe_code)]

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use libloading::{Library, Symbol};
use nnunet_plugin_api::abi::abi_stable::library::AbiHeaderRef;
use nnunet_plugin_api::abi::v1::{Import, PluginRootRef};
use nnunet_plugin_api::abi::{HANDSHAKE_SYMBOL, Handshake, ROOT_SYMBOL};
use nnunet_plugin_api::{Component, Error as ComponentError, Info, serde_json};

use crate::plugins::Description;
use crate::services::services;

pub use crate::services::cancel;

/// What a plugin file says of itself.
///
/// # Errors
/// Every reason to refuse the file: what was found, what was wanted and what to do.
pub fn describe(path: &Path) -> Result<Description> {
    Image::open(path)?.describe()
}

/// Loads a plugin and makes registry entries of its components.
///
/// # Errors
/// As [`describe`].
pub fn load(path: &Path, import: Import) -> Result<(Description, Vec<Component>)> {
    let image = Image::open(path)?;
    let description = image.describe()?;
    let components = description.components.iter();
    let components = components.map(|info| import(image.root, info.clone(), &description.name)).collect();
    Ok((description, components))
}

/// A loaded file whose handshake and layout fit.
struct Image {
    handshake: &'static Handshake,
    root: PluginRootRef,
}

impl Image {
    fn open(path: &Path) -> Result<Self> {
        // SAFETY: loading runs the image's initialisers; the user named this file or its folder as a plugin.
        let library = unsafe { Library::new(path) }.map_err(|error| anyhow!("cannot be loaded: {error}"))?;
        // An image whose code and statics may be referred to from anywhere stays for ever.
        let library: &'static Library = Box::leak(Box::new(library));
        let handshake = handshake(library)?;
        handshake.check()?;
        Ok(Self { handshake, root: root(library)? })
    }

    fn describe(&self) -> Result<Description> {
        let handshake = self.handshake;
        Ok(Description {
            name: handshake.name().to_owned(),
            version: handshake.version().to_owned(),
            licence: handshake.licence().to_owned(),
            abi: handshake.abi(),
            rustc: handshake.rustc().to_owned(),
            needs_torch: handshake.flags().needs_torch(),
            components: manifest(self.root)?,
        })
    }
}

fn handshake(library: &'static Library) -> Result<&'static Handshake> {
    // SAFETY: the symbol is a static of this type in every plugin of every version; `check` looks at the magic first.
    let symbol: Symbol<'static, *const Handshake> = unsafe { library.get(HANDSHAKE_SYMBOL) }.map_err(|_| {
        anyhow!("has no symbol {HANDSHAKE_SYMBOL}: it is not a plugin of nnunet (is `export_plugin!()` missing?)")
    })?;
    // SAFETY: as above; the image is never unloaded.
    unsafe { symbol.as_ref() }.ok_or_else(|| anyhow!("its handshake is empty"))
}

fn root(library: &'static Library) -> Result<PluginRootRef> {
    // SAFETY: the handshake said that this is a plugin of our major, in which the symbol is a `LibHeader`.
    let symbol: Symbol<'static, AbiHeaderRef> = unsafe { library.get(ROOT_SYMBOL) }
        .map_err(|_| anyhow!("has no symbol {ROOT_SYMBOL}; rebuild the plugin"))?;
    let header =
        symbol.upgrade().map_err(|error| anyhow!("its root module is of another abi_stable: {error}"))?;
    header.init_root_module::<PluginRootRef>().map_err(|error| {
        let text = error.to_string();
        anyhow!(
            "its layout differs from this program's; rebuild the plugin ({})",
            text.lines().next().unwrap_or_default()
        )
    })
}

fn manifest(root: PluginRootRef) -> Result<Vec<Info>> {
    let entries = (root.manifest())(services()).into_result().map_err(ComponentError::from)?;
    entries.iter().map(|entry| serde_json::from_str(&entry.info).context("its manifest is damaged")).collect()
}
