//! The sources of nnunet-plugin-api, with which plugins are built: those of a checkout, else those in this program.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use nnunet_formats::atomic;
use sha2::{Digest, Sha256};

use crate::user_folders::cache_folder;

/// The sources that this program was built from, as its build script packed them.
const SOURCES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/api.tar.gz"));

/// The crates a plugin may depend on, and their folders below `plugin-api`.
pub(crate) const CRATES: [(&str, &str); 4] = [
    ("nnunet-plugin-api", "."),
    ("nnunet-plugin-core", "core"),
    ("nnunet-plugin-test", "test"),
    ("nnunet-plugin-torch", "torch"),
];

/// The checkout of nnunet that this program lies in (`target/release/nnunet`), else the one around the current folder. Where
/// the program was compiled does not matter: a checkout may have been moved together with its `target`.
pub(crate) fn checkout() -> Option<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    let current = std::env::current_dir().ok();
    [program, current].into_iter().flatten().find_map(|place| checkout_around(&place))
}

fn checkout_around(place: &Path) -> Option<PathBuf> {
    let is_checkout = |folder: &&Path| folder.join("plugin-api/core/Cargo.toml").is_file();
    place.ancestors().find(is_checkout).map(Path::to_owned)
}

/// The folder `plugin-api` with the sources: of a checkout, or unpacked from this program into the user's cache.
///
/// # Errors
/// Returns an error if there is no folder for the cache, or an I/O error.
pub fn api_sources() -> Result<PathBuf> {
    match checkout() {
        Some(checkout) => Ok(checkout.join("plugin-api")),
        None => unpacked(&cache_folder().context("neither XDG_CACHE_HOME nor HOME is set")?),
    }
}

/// Every program has a folder of its own, so that cargo does not build again what did not change.
fn unpacked(cache: &Path) -> Result<PathBuf> {
    let hash: String = Sha256::digest(SOURCES).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let to = cache.join("api").join(format!("{}-{hash}", env!("CARGO_PKG_VERSION")));
    if !to.is_dir() {
        let parent = to.parent().unwrap_or(cache);
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        atomic::folder(&to, |folder| -> Result<()> {
            Ok(tar::Archive::new(GzDecoder::new(SOURCES)).unpack(folder)?)
        })
        .with_context(|| to.display().to_string())?;
    }
    Ok(to.join("plugin-api"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wherever it is now.
    #[test]
    fn a_checkout_is_found_from_a_program_in_its_target_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::create_dir_all(old.join("plugin-api/core")).unwrap();
        std::fs::write(old.join("plugin-api/core/Cargo.toml"), "").unwrap();
        std::fs::create_dir_all(old.join("target/release")).unwrap();
        assert_eq!(checkout_around(&old.join("target/release/nnunet")), Some(old.clone()));
        std::fs::rename(&old, &new).unwrap();
        assert_eq!(checkout_around(&new.join("target/release/nnunet")), Some(new));
        assert_eq!(checkout_around(Path::new("/usr/bin/nnunet")), None);
    }

    #[test]
    fn the_program_has_the_sources_of_all_crates_and_a_workspace_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let api = unpacked(folder.path()).unwrap();
        for (name, place) in CRATES {
            let manifest = std::fs::read_to_string(api.join(place).join("Cargo.toml")).unwrap();
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{manifest}");
            assert!(api.join(place).join("src/lib.rs").is_file());
        }
        let workspace = std::fs::read_to_string(api.join("../Cargo.toml")).unwrap();
        assert!(workspace.contains("members = [\"plugin-api\", \"plugin-api/core\""), "{workspace}");
        assert!(!workspace.contains("\"host\""), "{workspace}");
        assert_eq!(unpacked(folder.path()).unwrap(), api);
    }
}
