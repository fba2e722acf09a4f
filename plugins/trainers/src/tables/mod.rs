//! The values of v1's trainers, by what they change. In the closures `b` is the blueprint.

mod augmentation;
mod benchmarks;
mod cascade;
mod copies;
mod core;
mod losses;
mod networks;
mod optimizers;
mod regions;
mod unavailable;
mod v2;

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use serde_json::Value;

/// A component with parameters.
fn choice(name: &str, parameters: Value) -> ComponentChoice {
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    ComponentChoice { name: name.to_owned(), parameters }
}

/// More parameters for the network.
fn network(b: &mut Blueprint, parameters: Value) {
    b.architecture.parameters.extend(parameters.as_object().cloned().unwrap_or_default());
}
