//! Services of the program that runs a component (the host). Every function also works without a host, for example in
//! the tests of a plugin.

use std::path::PathBuf;
use std::sync::Mutex;

use abi_stable::std_types::RStr;

use crate::abi::v1::adapter::{another_kind, create_in_host, label_of_host, later_in_host};
use crate::abi::v1::{self, Created, contain, from_abi, parallel_rounds, services};
use crate::{
    Augmentation, Config, Error, ExperimentLogger, ImageFormat, Kind, Normalization, Planner, Postprocessor,
    Preprocessor, Resampler, Result, Sampler, Schedule, Splitter, Transform,
};

/// Writes a line to the run's log. Without a host nothing happens.
///
/// ```
/// nnunet_plugin_api::host::log("three cases have no foreground");
/// ```
pub fn log(message: &str) {
    if let Some(services) = services() {
        (services.log())(RStr::from(message));
    }
}

/// Reports that `done` of `of` steps of `what` are done; a terminal shows a progress bar. Without a host nothing
/// happens.
///
/// ```
/// for case in 0..3 {
///     nnunet_plugin_api::host::progress("collecting intensities", case, 3);
/// }
/// ```
pub fn progress(what: &str, done: u64, of: u64) {
    if let Some(services) = services() {
        (services.progress())(RStr::from(what), done, of);
    }
}

/// Whether the user asked to stop. Long loops should ask in every round and return
/// [`Error::Cancelled`](crate::Error::Cancelled). Without a host it is `false`.
///
/// ```
/// use nnunet_plugin_api::{Error, Result, host};
///
/// fn sum(values: &[f64]) -> Result<f64> {
///     let mut sum = 0.0;
///     for value in values {
///         if host::cancelled() {
///             return Err(Error::Cancelled);
///         }
///         sum += value;
///     }
///     Ok(sum)
/// }
/// assert_eq!(sum(&[1.0, 2.0]).unwrap(), 3.0);
/// ```
#[must_use]
pub fn cancelled() -> bool {
    services().is_some_and(|services| (services.cancelled())())
}

/// The random seed of the run; 0 without a host. A component that draws its random numbers from this seed only is
/// reproducible.
///
/// ```
/// use nnunet_plugin_api::{RandomStream, host};
///
/// let order = RandomStream::from_seed(host::seed()).permutation(5);
/// assert_eq!(order.len(), 5);
/// ```
#[must_use]
pub fn seed() -> u64 {
    services().map_or(0, |services| (services.seed())())
}

/// A folder for files that are not needed after the run. Without a host it is the system's folder for temporary files.
///
/// ```
/// let folder = nnunet_plugin_api::host::scratch_folder().unwrap();
/// assert!(folder.is_absolute());
/// ```
///
/// # Errors
/// Returns an error if the folder cannot be made.
pub fn scratch_folder() -> Result<PathBuf> {
    match services() {
        Some(services) => from_abi((services.scratch())()).map(|path| PathBuf::from(path.into_string())),
        None => Ok(std::env::temp_dir()),
    }
}

macro_rules! components {
    ($($(#[$doc:meta])* $fn:ident, $kind:ident, $author:path;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Returns an error if there is no component of this name, if the parameters do not fit, or without a host.
            pub fn $fn(name: &str, config: &Config) -> Result<Box<dyn $author>> {
                let label = label_of_host(Kind::$kind, name);
                match create_in_host(Kind::$kind, name, config).map_err(|error| error.within(&label))? {
                    Created::$kind(object) => v1::$fn::import(object, label),
                    _ => Err(another_kind(&label)),
                }
            }
        )*
    };
}

components! {
    /// A planner of the host, built-in or not.
    planner, Planner, Planner;
    /// A preprocessor of the host.
    preprocessor, Preprocessor, Preprocessor;
    /// A normalization of the host.
    normalization, Normalization, Normalization;
    /// An image format of the host.
    format, Format, ImageFormat;
    /// An augmentation of the host: a part of one's own.
    ///
    /// ```
    /// use nnunet_plugin_api::{Augmentation, AugmentationContext, Config, RandomStream, Result, Sample, host};
    ///
    /// /// `moreDA`, then intensities of opposite sign for every second sample.
    /// struct MoreAndInverted(Box<dyn Augmentation>);
    ///
    /// impl Augmentation for MoreAndInverted {
    ///     fn generator_patch(&self, context: &AugmentationContext) -> Result<Vec<usize>> {
    ///         self.0.generator_patch(context)
    ///     }
    ///
    ///     fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Result<Vec<usize>> {
    ///         self.0.crop(context, random)
    ///     }
    ///
    ///     fn augment(&self, sample: Sample, context: &AugmentationContext, random: &mut RandomStream) -> Result<Sample> {
    ///         let mut sample = self.0.augment(sample, context, random)?;
    ///         if random.chance(0.5) {
    ///             sample.data.mapv_inplace(|value| -value);
    ///         }
    ///         Ok(sample)
    ///     }
    /// }
    ///
    /// fn make(config: &Config) -> Result<Box<dyn Augmentation>> {
    ///     Ok(Box::new(MoreAndInverted(host::augmentation("moreDA", config)?)))
    /// }
    /// ```
    augmentation, Augmentation, Augmentation;
    /// An experiment logger of the host.
    logger, Logger, ExperimentLogger;
    /// A postprocessor of the host.
    postprocessor, Postprocessor, Postprocessor;
}

macro_rules! later_components {
    ($($(#[$doc:meta])* $fn:ident, $kind:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Returns an error if there is no component of this name, if the parameters do not fit, or without a host.
            pub fn $fn(name: &str, config: &Config) -> Result<Box<dyn $kind>> {
                let (object, label) = later_in_host(Kind::$kind, name, config)?;
                v1::$fn::import(object, label)
            }
        )*
    };
}

later_components! {
    /// A resampler of the host.
    resampler, Resampler;
    /// A sampler of the host: a part of one's own.
    sampler, Sampler;
    /// A transform of the host.
    transform, Transform;
    /// A splitter of the host.
    splitter, Splitter;
    /// A schedule of the host.
    schedule, Schedule;
}

/// Calls `body` with every number below `count` on the host's threads, in any order, and returns when all calls are
/// done. Without a host the calls are made one after the other. A plugin that starts threads of its own competes with
/// the host for the same cores.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sum = AtomicUsize::new(0);
/// nnunet_plugin_api::host::parallel_for(4, |index| {
///     sum.fetch_add(index, Ordering::Relaxed);
///     Ok(())
/// }).unwrap();
/// assert_eq!(sum.into_inner(), 0 + 1 + 2 + 3);
/// ```
///
/// # Errors
/// Returns the error of one of the calls. A panic in `body` is an error too.
pub fn parallel_for(count: usize, body: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let Some(services) = services() else { return (0..count).try_for_each(body) };
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    let round = |index: usize| {
        if let Err(error) = from_abi(contain(|| body(index))) {
            failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error);
        }
    };
    parallel_rounds(services, count, &round);
    failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).map_or(Ok(()), Err)
}
