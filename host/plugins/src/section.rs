//! Sections of nnunet.toml.

use nnunet_plugin_core::Kind;

/// Name of the section with a kind's tables.
#[must_use]
pub(crate) fn section(kind: Kind) -> String {
    if kind == Kind::Loss { "losses".to_owned() } else { format!("{kind}s") }
}
