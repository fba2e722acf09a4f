//! What the host does for plugins while they run: their own images have no access to its log, threads and signals.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

use nnunet_plugin_core::Error;
use nnunet_plugin_core::abi::abi_stable::prefix_type::PrefixTypeTrait;
use nnunet_plugin_core::abi::abi_stable::std_types::{RStr, RString};
use nnunet_plugin_core::abi::v1::{AbiResult, HostServices, HostServicesRef, Rounds, to_abi};
use rayon::prelude::*;
use tempfile::TempDir;

use crate::components;
use crate::lock::lock;
use crate::progress::{self, Bar};
use crate::run_log;

/// The services, for a plugin's `manifest`.
pub fn services() -> HostServicesRef {
    static SERVICES: OnceLock<HostServicesRef> = OnceLock::new();
    *SERVICES.get_or_init(|| {
        HostServices {
            log,
            progress: show_progress,
            cancelled,
            seed,
            scratch,
            parallel_for,
            create: components::create,
        }
        .leak_into_prefix()
    })
}

static CANCELLED: AtomicBool = AtomicBool::new(false);
static SEED: AtomicU64 = AtomicU64::new(0);
static SCRATCH: Mutex<Option<TempDir>> = Mutex::new(None);
static BARS: LazyLock<Mutex<HashMap<String, Box<dyn Bar>>>> = LazyLock::new(Mutex::default);

/// Records that the user wants to stop; components can ask for it.
pub fn cancel() {
    CANCELLED.store(true, Ordering::Relaxed);
}

/// Sets the random seed of the run, which components can ask for.
pub fn set_seed(seed: u64) {
    SEED.store(seed, Ordering::Relaxed);
}

/// Removes the scratch folder, when there is one.
pub fn clean_up() {
    // A folder that cannot be removed lies among the system's temporary files: the system clears them.
    drop(lock(&SCRATCH).take().map(TempDir::close));
}

extern "C" fn log(message: RStr<'_>) {
    tracing::info!("{}", message.as_str());
    run_log::add(message.as_str());
}

extern "C" fn show_progress(what: RStr<'_>, done: u64, of: u64) {
    let mut bars = lock(&BARS);
    let bar = bars.entry(what.to_string()).or_insert_with(|| progress::start(of as usize, what.as_str()));
    bar.set_position(done);
    if done >= of {
        bars.remove(what.as_str());
    }
}

extern "C" fn cancelled() -> bool {
    CANCELLED.load(Ordering::Relaxed)
}

extern "C" fn seed() -> u64 {
    SEED.load(Ordering::Relaxed)
}

extern "C" fn scratch() -> AbiResult<RString> {
    let mut folder = lock(&SCRATCH);
    let made = match folder.take() {
        Some(folder) => Ok(folder),
        None => tempfile::Builder::new().prefix("nnunet-scratch-").tempdir(),
    };
    to_abi(made.map_err(|error| Error::message(format!("scratch folder: {error}"))).map(|made| {
        let path = RString::from(made.path().display().to_string());
        *folder = Some(made);
        path
    }))
}

extern "C" fn parallel_for(count: usize, rounds: Rounds) {
    (0..count).into_par_iter().for_each(|index| rounds.run(index));
}
