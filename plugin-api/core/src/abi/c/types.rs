//! The plain C interface: what a plugin in another language offers and gets. `include/nnunet_plugin.h` is made from
//! this file and the handshake.
//!
//! A plugin in C has the same handshake, with the flag `C_TABLE`, and a table of components instead of the root module.
//! Every struct begins with its size in bytes and grows at its end only. Whoever reads a struct of the other side compares
//! `size` before it reads a field that a later minor added. Before ABI 1.2 only the structs of the table and `CHost` had a
//! size: plugins with an older handshake get pointers behind it.

use core::ffi::{c_char, c_void};

use crate::abi::dlpack::DLManagedTensorVersioned;

/// Room for the message of an error, its end mark included.
pub const ERROR_CAPACITY: usize = 1024;

/// Where a function that fails leaves its message: UTF-8 with an end mark.
#[repr(C)]
pub struct CError {
    /// Bytes of this struct.
    pub size: usize,
    /// The message.
    pub text: [c_char; ERROR_CAPACITY],
}

/// What the host does for a plugin. Valid as long as the process.
#[repr(C)]
pub struct CHost {
    /// Bytes of this struct.
    pub size: usize,
    /// Writes a line to the run's log.
    pub log: unsafe extern "C" fn(message: *const c_char),
    /// Shows how far something is.
    pub progress: unsafe extern "C" fn(what: *const c_char, done: u64, of: u64),
    /// Whether the user asked to stop.
    pub cancelled: extern "C" fn() -> bool,
    /// Start of all random numbers of the run.
    pub seed: extern "C" fn() -> u64,
}

/// A label map, changed in place. Arrays are in C order, (z, y, x).
#[repr(C)]
pub struct CLabels {
    /// Bytes of this struct.
    pub size: usize,
    /// One byte a voxel.
    pub voxels: *mut u8,
    /// Voxels, (z, y, x).
    pub shape: [usize; 3],
    /// Voxel size, mm, (z, y, x).
    pub spacing: [f64; 3],
}

/// Foreground intensities of the data set in one channel.
#[repr(C)]
pub struct CIntensities {
    /// Bytes of this struct.
    pub size: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Minimum.
    pub minimum: f64,
    /// Maximum.
    pub maximum: f64,
    /// Median.
    pub median: f64,
    /// 0.5th percentile.
    pub percentile_00_5: f64,
    /// 99.5th percentile.
    pub percentile_99_5: f64,
}

/// One channel of an image, normalized in place.
#[repr(C)]
pub struct CChannel {
    /// Bytes of this struct.
    pub size: usize,
    /// Intensities, (z, y, x).
    pub voxels: *mut f32,
    /// Labels on the same grid; -1 outside the nonzero mask.
    pub seg: *const f32,
    /// Voxels, (z, y, x).
    pub shape: [usize; 3],
    /// Index of the channel, from 0.
    pub channel: usize,
    /// Look only where `seg` is not negative, and set the rest to 0.
    pub use_mask: bool,
    /// Of the data set; null when they are not known.
    pub intensities: *const CIntensities,
}

/// A training sample, changed in place.
#[repr(C)]
pub struct CSample {
    /// Bytes of this struct.
    pub size: usize,
    /// Intensities, (channels, z, y, x).
    pub data: *mut f32,
    /// Labels, (channels, z, y, x); -1 outside the nonzero mask.
    pub seg: *mut f32,
    /// Channels of `data` and of `seg`.
    pub channels: [usize; 2],
    /// Voxels, (z, y, x).
    pub shape: [usize; 3],
    /// Random bits: equal ones must give equal results.
    pub random: u64,
    /// 2 when the network sees slices, else 3. Since 1.2, like what follows.
    pub dimensions: usize,
    /// The first axis is coarse: rotate, scale and deform within slices only.
    pub dummy_2d: bool,
    /// Foreground labels: 1 to this.
    pub num_labels: usize,
}

/// Size and place of an image: (x, y, z) order, LPS world, mm, as ITK has them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CGeometry {
    /// Bytes of this struct.
    pub size: usize,
    /// Number of voxels along each axis; x runs fastest in memory.
    pub voxels: [usize; 3],
    /// Voxel size.
    pub spacing: [f64; 3],
    /// World position of the first voxel.
    pub origin: [f64; 3],
    /// Direction cosines, row-major.
    pub direction: [f64; 9],
}

/// Takes an image that is read.
#[repr(C)]
pub struct CSink {
    /// Bytes of this struct.
    pub size: usize,
    /// The host's; handed back to `allocate`.
    pub context: *mut c_void,
    /// Memory of the host for an image of this geometry, all zero; null when there is not enough. Called once.
    pub allocate: extern "C" fn(context: *mut c_void, geometry: *const CGeometry) -> *mut f32,
}

/// A change of grid, (z, y, x). Since 1.4.
#[repr(C)]
pub struct CGridChange {
    /// Bytes of this struct.
    pub size: usize,
    /// Voxels afterwards.
    pub shape: [usize; 3],
    /// Voxel size before, mm.
    pub from: [f64; 3],
    /// Voxel size afterwards, mm.
    pub to: [f64; 3],
}

/// Takes a text. Since 1.4.
#[repr(C)]
pub struct CTextSink {
    /// Bytes of this struct.
    pub size: usize,
    /// The host's; handed back to `put`.
    pub context: *mut c_void,
    /// Copies the text, which has an end mark. Called once.
    pub put: extern "C" fn(context: *mut c_void, text: *const c_char),
}

/// What an array has.
pub const CONTENT_IMAGE: i32 = 0;
/// As `CONTENT_IMAGE`: labels, of which no new ones may arise.
pub const CONTENT_LABELS: i32 = 1;
/// As `CONTENT_IMAGE`: the scores of a class.
pub const CONTENT_SCORES: i32 = 2;

/// A component. Functions of other kinds are null. An object may be used by several threads at once. Functions return 0,
/// or another number after they have left a message.
#[repr(C)]
pub struct CComponent {
    /// Bytes of this struct.
    pub size: usize,
    /// JSON: `kind` (`postprocessor`, `normalization`, `augmentation`, `format`, `splitter` or `resampler`), `name`,
    /// `summary`; also `description`, `defaults`, `schema`, `example`, `capabilities`.
    pub info: *const c_char,
    /// Makes an object from its parameters (JSON object); null after a message was left.
    pub create: Option<
        unsafe extern "C" fn(config: *const c_char, host: *const CHost, error: *mut CError) -> *mut c_void,
    >,
    /// Ends an object.
    pub destroy: Option<unsafe extern "C" fn(object: *mut c_void)>,
    /// Postprocessors.
    pub apply:
        Option<unsafe extern "C" fn(object: *mut c_void, labels: *mut CLabels, error: *mut CError) -> i32>,
    /// Normalizations.
    pub normalize:
        Option<unsafe extern "C" fn(object: *mut c_void, channel: *mut CChannel, error: *mut CError) -> i32>,
    /// Augmentations: the sample keeps its size.
    pub augment:
        Option<unsafe extern "C" fn(object: *mut c_void, sample: *mut CSample, error: *mut CError) -> i32>,
    /// Formats with the capability `reads .ENDING`.
    pub read: Option<
        unsafe extern "C" fn(
            object: *mut c_void,
            path: *const c_char,
            sink: *const CSink,
            error: *mut CError,
        ) -> i32,
    >,
    /// Formats with the capability `writes .ENDING`.
    pub write: Option<
        unsafe extern "C" fn(
            object: *mut c_void,
            path: *const c_char,
            voxels: *const f32,
            geometry: *const CGeometry,
            error: *mut CError,
        ) -> i32,
    >,
    /// Splitters: `cases` is a JSON list of objects with `name` and `values`; a list of objects with `train` and `val` goes to
    /// `folds`. Since 1.4, like what follows.
    pub split: Option<
        unsafe extern "C" fn(
            object: *mut c_void,
            cases: *const c_char,
            folds: *const CTextSink,
            error: *mut CError,
        ) -> i32,
    >,
    /// Resamplers: an image has the axes (channels, z, y, x), labels and scores have (z, y, x). The new array is the host's
    /// from then on, which frees it with its deleter; the given one stays the host's.
    pub resample: Option<
        unsafe extern "C" fn(
            object: *mut c_void,
            content: i32,
            array: *const DLManagedTensorVersioned,
            change: *const CGridChange,
            result: *mut *mut DLManagedTensorVersioned,
            error: *mut CError,
        ) -> i32,
    >,
}

/// All components of a plugin: the symbol `NNUNET_PLUGIN_C_V1`.
#[repr(C)]
pub struct CPlugin {
    /// Bytes of this struct.
    pub size: usize,
    /// How many there are.
    pub count: usize,
    /// The components.
    pub components: *const *const CComponent,
}

// SAFETY: points to immutable static data of the plugin.
unsafe impl Sync for CPlugin {}
// SAFETY: as above.
unsafe impl Sync for CComponent {}
