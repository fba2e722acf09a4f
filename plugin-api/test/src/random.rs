//! libtorch's random generator, which all threads of a process share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nnunet_plugin_torch::tch::manual_seed;

static DRAWS: Mutex<()> = Mutex::new(());

/// Seeds the generator. Tests run in parallel: until the guard is dropped, every other call waits, so that what is drawn
/// does not depend on them.
pub(crate) fn seeded() -> MutexGuard<'static, ()> {
    // A test that failed holds nothing that others depend on.
    let turn = DRAWS.lock().unwrap_or_else(PoisonError::into_inner);
    manual_seed(1);
    turn
}
