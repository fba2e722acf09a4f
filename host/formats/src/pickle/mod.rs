//! Python pickles: a reader that builds data and never runs code, and a writer that CPython and NumPy read.

mod arena;
mod dtype;
mod error;
mod globals;
mod machine;
mod rebuild;
mod value;
mod writer;

use std::path::Path;

pub use dtype::DType;
pub use error::PickleError;
pub use machine::read;
pub(crate) use machine::{Resolve, read_from};
pub(crate) use rebuild::{MAX_AXES, to_c_order};
pub use value::{NdArray, Value};
pub use writer::{to_bytes, to_bytes_protocol2};

/// Single operations, for what other formats put into a pickle.
pub(crate) mod ops {
    pub(crate) use super::writer::{global, int, text_op};
}

use crate::{Error, Result, atomic, input};

/// Reads a pickle file.
///
/// # Errors
/// Returns an error if the file cannot be read, or is not a pickle of plain data and NumPy values.
pub fn load(path: &Path) -> Result<Value> {
    let bytes = input::read(path)?;
    read(&bytes).map_err(|error| Error::invalid(path, error))
}

/// Writes a pickle file (protocol 4).
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub fn save(path: &Path, value: &Value) -> Result<()> {
    atomic::write_bytes(path, &to_bytes(value))
}
