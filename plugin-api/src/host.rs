//! What a component may ask of the host while it runs.

use abi_stable::std_types::RStr;

use crate::abi::v1::services;

/// Writes a line to the run's log. Without a host (unit tests) nothing happens.
pub fn log(message: &str) {
    if let Some(services) = services() {
        (services.log)(RStr::from(message));
    }
}

/// Whether the user asked to stop; long loops should look and return [`Error::Cancelled`](crate::Error::Cancelled).
#[must_use]
pub fn cancelled() -> bool {
    services().is_some_and(|services| (services.cancelled)())
}
