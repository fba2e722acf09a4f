//! Writing PNG files.

use std::io::{self, Cursor};
use std::path::Path;

use image::{ImageFormat, RgbImage};
use nnunet_formats::{Error, Result, atomic};

/// Writes a PNG; the file is complete or not there.
///
/// # Errors
/// Returns an I/O error if the file cannot be written.
pub(crate) fn write(path: &Path, image: &RgbImage) -> Result<()> {
    atomic::write_bytes(path, &encode(image).map_err(|error| Error::io(path, error))?)
}

/// The bytes of a PNG.
///
/// # Errors
/// Returns an error if the picture cannot be encoded.
pub(crate) fn encode(image: &RgbImage) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let encoded = image.write_to(&mut bytes, ImageFormat::Png);
    encoded.map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}
