//! Python pickles: a reader that builds data and never runs code, and a writer that CPython and NumPy read.

mod dtype;
mod globals;
mod reader;
mod rebuild;
mod value;
mod writer;

use std::path::Path;

pub use dtype::DType;
pub use reader::{PickleError, read};
pub(crate) use reader::{Resolve, read_from};
pub(crate) use rebuild::to_c_order;
pub use value::{NdArray, Value};
pub use writer::{to_bytes, to_bytes_protocol2};

/// Single operations, for what other formats put into a pickle.
pub(crate) mod ops {
    pub(crate) use super::writer::{global, int, text_op};
}

use crate::{Error, Result, atomic};

/// Reads a pickle file.
///
/// # Errors
/// A file that is not a pickle of plain data and NumPy values.
pub fn load(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|source| Error::io(path, source))?;
    read(&bytes).map_err(|error| Error::invalid(path, error))
}

/// Writes a pickle file (protocol 4).
///
/// # Errors
/// What the system says.
pub fn save(path: &Path, value: &Value) -> Result<()> {
    atomic::write_bytes(path, &to_bytes(value))
}
