//! The NVIDIA driver, asked through its own library: without libtorch.
#![allow(unsafe_code, reason = "functions of the driver's library")]

use std::ffi::{CStr, c_char, c_int, c_uint};

use libloading::os::unix::Library;
use serde::{Deserialize, Serialize};
use thiserror::Error;

const LIBRARY: &str = "libcuda.so.1";
/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: c_int = 100;

/// A GPU as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// The product's name.
    pub name: String,
    /// Bytes.
    pub memory: u64,
}

/// A driver that answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Driver {
    /// The newest CUDA version it can run, (major, minor).
    pub cuda: (i32, i32),
    /// Its own version.
    pub version: Option<String>,
    /// The GPUs it shows to this process.
    pub gpus: Vec<Gpu>,
}

/// Why there is no driver to work with.
#[derive(Debug, Error)]
pub enum NoDriver {
    /// Its library cannot be loaded.
    #[error("there is no NVIDIA driver ({0})")]
    NotThere(String),
    /// It lacks a function.
    #[error("the NVIDIA driver's {LIBRARY} has no function {0}")]
    Incomplete(&'static str),
    /// It sees no GPU.
    #[error("the NVIDIA driver finds no GPU")]
    NoGpu,
    /// Its start failed.
    #[error("the NVIDIA driver does not start (cuInit returned {0})")]
    Failed(c_int),
}

/// Starts the driver and asks it for its GPUs.
///
/// # Errors
/// Returns an error if there is no NVIDIA driver, or if it does not work.
pub fn find() -> Result<Driver, NoDriver> {
    // SAFETY: the driver's library may be loaded at any time.
    let library = unsafe { Library::new(LIBRARY) }.map_err(|error| NoDriver::NotThere(reason(&error)))?;
    let start: unsafe extern "C" fn(c_uint) -> c_int = function(&library, "cuInit")?;
    // SAFETY: cuInit takes flags, which must be 0.
    match unsafe { start(0) } {
        0 => {}
        NO_DEVICE => return Err(NoDriver::NoGpu),
        code => return Err(NoDriver::Failed(code)),
    }
    let version: unsafe extern "C" fn(*mut c_int) -> c_int = function(&library, "cuDriverGetVersion")?;
    let count: unsafe extern "C" fn(*mut c_int) -> c_int = function(&library, "cuDeviceGetCount")?;
    let cuda = number(version);
    let gpus = (0..number(count)).map(|index| gpu(&library, index)).collect::<Result<Vec<_>, _>>()?;
    // The driver stays loaded: libtorch_cuda uses it too.
    std::mem::forget(library);
    if gpus.is_empty() {
        return Err(NoDriver::NoGpu);
    }
    Ok(Driver { cuda: (cuda / 1000, cuda % 1000 / 10), version: own_version(), gpus })
}

/// What the loader says; libloading keeps it in the cause.
#[must_use]
pub fn reason(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// A function of the library with the type of its declaration in `cuda.h`.
fn function<T: Copy>(library: &Library, name: &'static str) -> Result<T, NoDriver> {
    // SAFETY: callers name the type that `cuda.h` declares.
    let symbol = unsafe { library.get::<T>(name.as_bytes()) };
    symbol.map(|symbol| *symbol).map_err(|_| NoDriver::Incomplete(name))
}

fn number(ask: unsafe extern "C" fn(*mut c_int) -> c_int) -> c_int {
    let mut value = 0;
    // SAFETY: the function writes one number.
    let code = unsafe { ask(&raw mut value) };
    if code == 0 { value } else { 0 }
}

fn gpu(library: &Library, index: c_int) -> Result<Gpu, NoDriver> {
    type GetName = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    let get: unsafe extern "C" fn(*mut c_int, c_int) -> c_int = function(library, "cuDeviceGet")?;
    let get_name: GetName = function(library, "cuDeviceGetName")?;
    let get_memory: unsafe extern "C" fn(*mut usize, c_int) -> c_int =
        function(library, "cuDeviceTotalMem_v2")?;
    let (mut device, mut memory, mut name) = (0, 0, [0; 256]);
    // SAFETY: each function writes into the place it is given; the name is cut to its length and ends with 0.
    unsafe {
        get(&raw mut device, index);
        get_name(name.as_mut_ptr(), 255, device);
        get_memory(&raw mut memory, device);
    }
    // SAFETY: the buffer's last byte is 0 in any case.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned();
    Ok(Gpu { name, memory: memory as u64 })
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  …`
fn own_version() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let is_version = |word: &&str| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit());
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}
