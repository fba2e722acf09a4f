//! Plugin files: what they say of themselves, and whether they are in use.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nnunet_plugin_core::Info;
use serde::{Deserialize, Serialize};

/// The description that a plugin file gives of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Crate name.
    pub name: String,
    /// Crate version.
    pub version: String,
    /// License.
    pub license: String,
    /// ABI, `major.minor`.
    pub abi: String,
    /// Compiler that built it.
    pub rustc: String,
    /// The machines it is for, as a target triple.
    pub target: String,
    /// It uses tensors.
    pub needs_torch: bool,
    /// The libtorch it was built with, `>=` the oldest it can use, or empty without tensors.
    pub libtorch: String,
    /// Its components.
    pub components: Vec<Info>,
}

/// A plugin in use.
#[derive(Debug, Clone)]
pub struct Plugin {
    /// Its description.
    pub about: Description,
    /// The file.
    pub path: PathBuf,
    /// Hash of the file, as `sha256sum` prints it.
    pub sha256: String,
}

/// A plugin that was found but cannot be used.
#[derive(Debug)]
pub struct RejectedPlugin {
    /// The file, or a folder of plugins that is not looked into.
    pub path: PathBuf,
    /// `incompatible`: made for another host; `missing`: there is no such file; `broken`: anything else.
    pub status: &'static str,
    /// Why.
    pub error: anyhow::Error,
}

/// The program beside this one that has tensors, or this one when there is none, or no libtorch for it.
///
/// # Errors
/// Returns an error if this program's own path cannot be determined.
pub fn program_with_tensors() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this program's own path")?;
    let sibling = own.with_file_name("nnunet-torch");
    let can_start = sibling.is_file() && nnunet_libtorch::library_path(&sibling).is_some();
    Ok(if can_start { sibling } else { own })
}

/// The file name of a crate's shared library.
#[must_use]
pub fn library_name(crate_name: &str) -> PathBuf {
    Path::new(&format!("lib{}.so", crate_name.replace('-', "_"))).to_owned()
}
