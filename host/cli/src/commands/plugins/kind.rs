//! Names of kinds on the command line.

use anyhow::{Result, anyhow};
use nnunet_plugin_core::Kind;
use nnunet_plugin_core::suggestion::did_you_mean;

/// Parses the name of a kind.
pub(super) fn kind(word: &str) -> Result<Kind> {
    Kind::from_word(word).ok_or_else(|| {
        let near = did_you_mean(word, Kind::ALL.map(Kind::as_str));
        anyhow!("there is no kind `{word}`{near}; kinds: {}", kinds())
    })
}

/// The help of an argument that takes a kind.
pub(super) fn help() -> String {
    format!("What the plugin adds: {}", kinds())
}

fn kinds() -> String {
    Kind::ALL.map(Kind::as_str).join(", ")
}
