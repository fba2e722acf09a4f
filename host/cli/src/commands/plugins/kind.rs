//! Names of kinds on the command line.

use anyhow::{Result, anyhow};
use nnunet_plugin_core::Kind;

/// Parses the name of a kind.
pub(super) fn kind(word: &str) -> Result<Kind> {
    let kinds = || Kind::ALL.map(Kind::as_str).join(", ");
    Kind::from_word(word).ok_or_else(|| anyhow!("there is no kind `{word}`; kinds: {}", kinds()))
}
