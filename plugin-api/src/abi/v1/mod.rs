//! Version 1 of the stable ABI.
//!
//! Every kind is one file with the same anatomy: the trait as it crosses, `Exported` (around the author's object, in
//! the plugin) and `Imported` (around the received one, in the host).

// What sabi_trait generates is public, in unnameable places.
#![allow(unreachable_pub, non_local_definitions)]

mod architecture;
mod augmentation;
mod created;
mod epoch;
mod format;
mod guard;
mod host;
mod json;
mod later;
mod logger;
mod loss;
mod normalization;
mod planner;
mod postprocessor;
mod preprocessor;
mod received;
mod root;
mod tensor;
mod trainer;

#[cfg(feature = "torch")]
mod modes;
#[cfg(feature = "torch")]
pub use modes::leaked_modes;

#[cfg(feature = "torch")]
pub use created::import_with_tensors;
pub use created::{Created, Import, import, through_adapters};
pub use guard::{AbiError, ErrorCode, to_abi};
pub(crate) use guard::{contain, from_abi};
pub use host::{HostServices, HostServicesRef, Rounds};
pub(crate) use host::{parallel_for as parallel_rounds, services};
pub use later::LaterObject;
pub(crate) use received::surrounded;
pub use received::with_running;
pub use root::{ManifestEntry, PluginRoot, PluginRootRef, root_module};

/// Result of every call across the boundary.
pub type AbiResult<T> = abi_stable::std_types::RResult<T, AbiError>;
