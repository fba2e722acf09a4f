//! Version 1 of the stable ABI.
//!
//! Every kind is one file with the same anatomy: the trait as it crosses, `Exported` (around the author's object, in
//! the plugin) and `Imported` (around the received one, in the host).

// What sabi_trait generates is public, in unnameable places.
#![allow(unreachable_pub, non_local_definitions)]

mod architecture;
mod created;
mod guard;
mod host;
mod json;
mod loss;
mod planner;
mod postprocessor;
mod preprocessor;
mod root;
mod tensor;
mod trainer;

#[cfg(feature = "torch")]
mod modes;

#[cfg(feature = "torch")]
pub use created::import_with_tensors;
pub use created::{Created, Import, import};
pub use guard::{AbiError, ErrorCode};
pub use host::HostServices;
pub(crate) use host::services;
pub use root::{ManifestEntry, PluginRoot, PluginRootRef, root_module};

/// Result of every call across the boundary.
pub type AbiResult<T> = abi_stable::std_types::RResult<T, AbiError>;
