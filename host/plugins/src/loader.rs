//! Dynamic plugins: checked and loaded. Never unloaded.
#![allow(unsafe_code)]

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use libloading::{Library, Symbol};
use nnunet_plugin_core::abi::abi_stable::library::AbiHeaderRef;
use nnunet_plugin_core::abi::c::{self, CComponent, CPlugin};
use nnunet_plugin_core::abi::v1::{Import, PluginRootRef};
use nnunet_plugin_core::abi::{C_SYMBOL, HANDSHAKE_SYMBOL, Handshake, ROOT_SYMBOL, name_culprits};
use nnunet_plugin_core::{Component, Error as ComponentError, Info, serde_json};

use crate::lock::lock;
use crate::plugin::Description;
use crate::services::services;
use crate::stdout;
use crate::trust::OpenFile;

pub use crate::services::cancel;

/// The description that a plugin file gives of itself.
///
/// # Errors
/// Returns the reason to reject the file: what was found, what was expected and what to do.
pub fn describe(path: &Path) -> Result<Description> {
    Image::open(path)?.describe()
}

/// Loads a plugin from the descriptor that was hashed, and makes registry entries of its components.
///
/// # Errors
/// As [`describe`].
pub fn load(open: OpenFile, import: Import) -> Result<(Description, Vec<Component>)> {
    let image = Image::open(&open.descriptor())?;
    // The descriptor's number is the image's name from now on: no other file may get it.
    lock(&OPEN).push(open);
    let description = image.describe()?;
    let components = description.components.iter();
    let components = components.map(|info| image.component(info, import, &description.name));
    let components = components.collect::<Result<_>>()?;
    Ok((description, components))
}

/// All images, so that a memory checker sees that none is lost.
static LOADED: Mutex<Vec<&'static Library>> = Mutex::new(Vec::new());

/// A loaded file whose handshake and layout fit.
struct Image {
    handshake: &'static Handshake,
    entry: Entry,
}

/// The files of the images.
static OPEN: Mutex<Vec<OpenFile>> = Mutex::new(Vec::new());

/// The way into an image.
enum Entry {
    Rust(PluginRootRef),
    C(Vec<(Info, &'static CComponent)>),
}

impl Image {
    fn open(path: &Path) -> Result<Self> {
        stdout::reserve();
        name_culprits();
        // SAFETY: loading runs the image's initializers; the user named this file or its folder as a plugin.
        let library = unsafe { Library::new(path) }.map_err(|error| anyhow!("cannot be loaded: {error}"))?;
        // An image is never unloaded: its code and statics may be referred to from anywhere.
        let library: &'static Library = Box::leak(Box::new(library));
        lock(&LOADED).push(library);
        let handshake = handshake(library)?;
        handshake.check()?;
        let entry = if handshake.flags().is_c() {
            Entry::C(c::components(table(library)?)?)
        } else {
            Entry::Rust(root(library, handshake.is_older())?)
        };
        Ok(Self { handshake, entry })
    }

    fn describe(&self) -> Result<Description> {
        let handshake = self.handshake;
        Ok(Description {
            name: handshake.name().to_owned(),
            version: handshake.version().to_owned(),
            license: handshake.license().to_owned(),
            abi: handshake.abi(),
            rustc: handshake.rustc().to_owned(),
            target: handshake.target().to_owned(),
            needs_torch: handshake.flags().needs_torch(),
            libtorch: libtorch(handshake),
            components: match &self.entry {
                Entry::Rust(root) => manifest(*root)?,
                Entry::C(components) => components.iter().map(|(info, _)| info.clone()).collect(),
            },
        })
    }

    fn component(&self, info: &Info, import: Import, plugin: &str) -> Result<Component> {
        match &self.entry {
            Entry::Rust(root) => Ok(import(*root, info.clone(), plugin)),
            Entry::C(components) => {
                let found = components.iter().find(|(known, _)| known == info);
                let (info, component) = found.ok_or_else(|| anyhow!("it has no {} any more", info.name))?;
                Ok(c::import(info.clone(), component, plugin, self.handshake.has_sized_structs())?)
            }
        }
    }
}

/// The libtorch that a plugin needs; empty without tensors.
fn libtorch(handshake: &Handshake) -> String {
    let least = if handshake.flags().is_shim() { ">=" } else { "" };
    format!("{least}{}", handshake.libtorch())
}

fn handshake(library: &'static Library) -> Result<&'static Handshake> {
    // SAFETY: the symbol is a static of this type in every plugin of every version; `check` looks at the magic first.
    let symbol: Symbol<'static, *const Handshake> = unsafe { library.get(HANDSHAKE_SYMBOL) }.map_err(|_| {
        anyhow!("has no symbol {HANDSHAKE_SYMBOL}: it is not a plugin of nnunet (is `export_plugin!()` missing?)")
    })?;
    // SAFETY: as above; the image is never unloaded.
    unsafe { symbol.as_ref() }.ok_or_else(|| anyhow!("its handshake is empty"))
}

/// A plugin of the same minor must have exactly our layout; one of an earlier minor lacks what was appended since,
/// which is looked for before it is used.
fn root(library: &'static Library, is_older: bool) -> Result<PluginRootRef> {
    // SAFETY: the handshake said that this is a plugin of our major, in which the symbol is a `LibHeader`.
    let symbol: Symbol<'static, AbiHeaderRef> = unsafe { library.get(ROOT_SYMBOL) }
        .map_err(|_| anyhow!("has no symbol {ROOT_SYMBOL}; rebuild the plugin"))?;
    let header =
        symbol.upgrade().map_err(|error| anyhow!("its root module is of another abi_stable: {error}"))?;
    let root = if is_older {
        // SAFETY: within a major, types that cross only get methods and fields appended.
        unsafe { header.init_root_module_with_unchecked_layout::<PluginRootRef>() }
    } else {
        header.init_root_module::<PluginRootRef>()
    };
    root.map_err(|error| {
        let text = error.to_string();
        anyhow!(
            "its layout differs from this program's; rebuild the plugin ({})",
            text.lines().next().unwrap_or_default()
        )
    })
}

/// The components of a plugin in C.
fn table(library: &'static Library) -> Result<&'static CPlugin> {
    // SAFETY: the handshake said that there is a table of this type.
    let symbol: Symbol<'static, *const CPlugin> = unsafe { library.get(C_SYMBOL) }.map_err(|_| {
        anyhow!("has no symbol {C_SYMBOL}, though its handshake says that it is written in C")
    })?;
    // SAFETY: as above; the image is never unloaded.
    unsafe { symbol.as_ref() }.ok_or_else(|| anyhow!("its table is empty"))
}

fn manifest(root: PluginRootRef) -> Result<Vec<Info>> {
    let entries = (root.manifest())(services()).into_result().map_err(ComponentError::from)?;
    entries.iter().map(|entry| serde_json::from_str(&entry.info).context("its manifest is damaged")).collect()
}
