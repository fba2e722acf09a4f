//! What the host offers to a plugin's image: statics are per image, so these travel as function pointers.

use std::sync::OnceLock;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

/// Services of the host.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct HostServices {
    /// Writes a line to the run's log.
    pub log: extern "C" fn(message: RStr<'_>),
    /// Whether the user asked to stop.
    pub cancelled: extern "C" fn() -> bool,
}

static SERVICES: OnceLock<HostServices> = OnceLock::new();

/// Called in a plugin's image by `create`: keeps the host's services for [`crate::host`].
pub(super) fn install(services: HostServices) {
    let _ = SERVICES.set(services);
}

/// Whether this copy of the crate lives in a plugin's image.
pub(super) fn is_plugin_image() -> bool {
    SERVICES.get().is_some()
}

/// The services, in a plugin's image.
pub(crate) fn services() -> Option<&'static HostServices> {
    SERVICES.get()
}
