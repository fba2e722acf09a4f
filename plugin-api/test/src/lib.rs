//! Tests for plugins of nnunet. A plugin names this crate in `[dev-dependencies]`, with the feature `torch` if it has
//! architectures, losses or trainers.
//!
//! * [`check_registered`]: the checks of `nnunet plugins check` for `cargo test`.
//! * [`phantoms`]: images, label maps and batches whose classes a network can learn.
//! * `Training`, with the feature `torch`: training steps with an architecture, a loss or a trainer.
//!
//! ```
//! use nnunet_plugin_api::{Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result, inventory};
//!
//! struct WithoutLesions;
//!
//! impl Postprocessor for WithoutLesions {
//!     fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
//!         volume.labels.mapv_inplace(|label| if label == 2 { 0 } else { label });
//!         Ok(())
//!     }
//! }
//!
//! inventory::submit!(Registration(|| {
//!     let info = Info::new(Kind::Postprocessor, "WithoutLesions", "Removes label 2.");
//!     Component::postprocessor(info, |_| Ok(Box::new(WithoutLesions)))
//! }));
//!
//! // In a `#[test]` of the plugin:
//! nnunet_plugin_test::check_registered();
//! ```
#![allow(clippy::panic, reason = "a test fails by panicking")]

mod arrays;
#[cfg(feature = "torch")]
mod blocks;
mod checks;
mod findings;
#[cfg(feature = "torch")]
mod heads;
#[cfg(feature = "torch")]
mod metrics;
pub mod phantoms;
#[cfg(feature = "torch")]
mod random;
mod resamplers;
mod samplers;
mod samples;
mod schedules;
#[cfg(feature = "torch")]
mod tensors;
#[cfg(feature = "torch")]
mod training;
#[cfg(feature = "torch")]
mod variables;

#[cfg(feature = "torch")]
use nnunet_plugin_torch::abi::through_adapters;

#[cfg(not(feature = "torch"))]
use nnunet_plugin_core::abi::v1::through_adapters;
use nnunet_plugin_core::{Registration, inventory};

pub use checks::check;
pub use findings::Finding;
#[cfg(feature = "torch")]
pub use training::Training;
#[cfg(feature = "torch")]
pub use variables::Variables;

/// Checks every component that is registered in this program (the test of a plugin's crate), behind the adapters of the
/// stable ABI, as the host calls them. Prints every finding.
///
/// # Panics
/// Panics with the checks that failed, or if no component is registered.
#[track_caller]
pub fn check_registered() {
    let mut findings = Vec::new();
    for registration in inventory::iter::<Registration> {
        let component = through_adapters((registration.0)(), "under test");
        check(&component, &mut |finding| findings.push(finding));
    }
    let failed: Vec<String> =
        findings.iter().filter(|finding| finding.error.is_some()).map(Finding::to_string).collect();
    assert!(!findings.is_empty(), "no component is registered; is inventory::submit! missing?");
    assert!(
        failed.is_empty(),
        "{} of {} checks failed:\n{}",
        failed.len(),
        findings.len(),
        failed.join("\n")
    );
}
