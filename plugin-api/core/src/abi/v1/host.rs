//! What the host offers to a plugin's image: statics are per image, so these travel as function pointers.

use core::ffi::c_void;
use std::sync::OnceLock;

use abi_stable::StableAbi;
use abi_stable::std_types::{RStr, RString};

use super::AbiResult;
use super::created::Created;
use super::guard::mark_plugin_image;

/// Services of the host.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostServicesRef)))]
#[sabi(missing_field(panic))]
pub struct HostServices {
    /// Writes a line to the run's log.
    pub log: extern "C" fn(message: RStr<'_>),
    /// Shows how far something is.
    pub progress: extern "C" fn(what: RStr<'_>, done: u64, of: u64),
    /// Whether the user asked to stop.
    pub cancelled: extern "C" fn() -> bool,
    /// Start of all random numbers of the run.
    pub seed: extern "C" fn() -> u64,
    /// A folder for files that nobody needs after the run.
    pub scratch: extern "C" fn() -> AbiResult<RString>,
    /// Runs a round for every number below `count`, on the host's threads, and returns when all are done.
    #[sabi(last_prefix_field)]
    pub parallel_for: extern "C" fn(count: usize, rounds: Rounds),
    /// Makes a component of the registry, built-in or not, by kind, name and parameters (JSON object). Since 1.3.
    #[sabi(missing_field(option))]
    pub create: extern "C" fn(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created>,
}

/// The body of a parallel loop.
#[repr(C)]
#[derive(Debug, Clone, Copy, StableAbi)]
pub struct Rounds {
    context: *const c_void,
    round: extern "C" fn(context: *const c_void, index: usize),
}

// SAFETY: made below from a body that is `Sync`; it never unwinds.
unsafe impl Sync for Rounds {}

impl Rounds {
    /// Runs one round.
    pub fn run(&self, index: usize) {
        (self.round)(self.context, index);
    }
}

static SERVICES: OnceLock<HostServicesRef> = OnceLock::new();

/// Called in a plugin's image before anything else: keeps the host's services for [`crate::host`].
pub(super) fn install(services: HostServicesRef) {
    mark_plugin_image();
    let _ = SERVICES.set(services);
}

/// The services, in a plugin's image.
pub(crate) fn services() -> Option<HostServicesRef> {
    SERVICES.get().copied()
}

/// Runs a loop on the host's threads.
pub(crate) fn parallel_for<F: Fn(usize) + Sync>(services: HostServicesRef, count: usize, body: &F) {
    extern "C" fn round<F: Fn(usize) + Sync>(context: *const c_void, index: usize) {
        // SAFETY: `context` is the `body` of the call below, which outlives the loop and may be shared.
        let body = unsafe { &*context.cast::<F>() };
        body(index);
    }
    let rounds = Rounds { context: std::ptr::from_ref(body).cast(), round: round::<F> };
    (services.parallel_for())(count, rounds);
}
