//! Dynamic plugins: found, checked and loaded. Never unloaded.
#![allow(unsafe_code)]

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use libloading::{Library, Symbol};
use nnunet_plugin_api::abi::abi_stable::library::AbiHeaderRef;
use nnunet_plugin_api::abi::abi_stable::std_types::RStr;
use nnunet_plugin_api::abi::v1::{HostServices, Import, PluginRootRef};
use nnunet_plugin_api::abi::{HANDSHAKE_SYMBOL, Handshake, ROOT_SYMBOL};
use nnunet_plugin_api::{Error as ComponentError, Info, serde_json};

use crate::registry::{Origin, Registry};
use crate::report;

/// A plugin file and how it was found.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// How it was found.
    pub origin: Origin,
    /// It may shadow built-ins.
    pub allow_override: bool,
}

/// A loaded plugin.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Crate name.
    pub name: String,
    /// Crate version.
    pub version: String,
    /// ABI `major.minor`.
    pub abi: String,
    /// The file.
    pub path: PathBuf,
}

/// Loads a plugin and registers its components.
///
/// # Errors
/// Every reason to refuse the file, with its name, what was found, what was wanted and what to do.
pub fn load(candidate: &Candidate, import: Import, registry: &mut Registry) -> Result<Plugin> {
    let path = &candidate.path;
    let in_file = || format!("plugin {}", path.display());
    refuse_world_writable(path).with_context(in_file)?;
    // SAFETY: loading runs the image's initialisers; the user named this file or its folder as a plugin.
    let library = unsafe { Library::new(path) }
        .map_err(|error| anyhow!("cannot be loaded: {error}"))
        .with_context(in_file)?;
    // An image whose code and statics may be referred to from anywhere stays for ever.
    let library: &'static Library = Box::leak(Box::new(library));
    let handshake = handshake(library).with_context(in_file)?;
    handshake.check().with_context(in_file)?;
    let root = root(library).with_context(in_file)?;
    let name = handshake.name();
    for info in manifest(root).with_context(in_file)? {
        let component = import(root, info, name);
        registry
            .register(component, name, candidate.origin.clone(), candidate.allow_override)
            .with_context(in_file)?;
    }
    Ok(Plugin {
        name: name.to_owned(),
        version: handshake.version().to_owned(),
        abi: handshake.abi(),
        path: path.clone(),
    })
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
    let services = HostServices { log: log_from_plugin, cancelled: cancelled_for_plugin };
    let entries = (root.manifest())(services).into_result().map_err(ComponentError::from)?;
    entries.iter().map(|entry| serde_json::from_str(&entry.info).context("its manifest is damaged")).collect()
}

extern "C" fn log_from_plugin(message: RStr<'_>) {
    report::line(message.as_str());
}

static CANCELLED: AtomicBool = AtomicBool::new(false);

/// Tells components that the user wants to stop.
pub fn cancel() {
    CANCELLED.store(true, Ordering::Relaxed);
}

extern "C" fn cancelled_for_plugin() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

/// A folder that everybody may write to is no place for code.
fn refuse_world_writable(path: &Path) -> Result<()> {
    let path = path.canonicalize().context("there is no such file")?;
    let sticky_or_private = |mode: u32| mode & 0o002 == 0;
    for place in [Some(path.as_path()), path.parent()].into_iter().flatten() {
        let mode = place.metadata().with_context(|| place.display().to_string())?.mode();
        if !sticky_or_private(mode) {
            bail!("{} is writable by everybody; remove that right (chmod o-w)", place.display());
        }
    }
    Ok(())
}

/// Plugin files in a folder: shared libraries, sorted.
#[must_use]
pub fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "so")).collect();
    found.sort();
    found
}

/// Folder of the user's plugins.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))?;
    Some(data.join("nnunet/plugins"))
}
