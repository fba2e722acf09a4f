//! What pictures and TIFF stacks have in common.

use std::fs::File;
use std::path::Path;

use crate::{Error, Result};

/// No compression expands one byte further: LZW's has 4096 words, of 12 bits.
const LARGEST_RATIO: u64 = 4096;

/// A picture: the values of a pixel stand together.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
    pub(crate) values: Vec<f32>,
}

impl Picture {
    /// Whether it has one channel.
    ///
    /// # Errors
    /// Returns an error if it has several.
    pub(crate) fn check_gray(&self, path: &Path) -> Result<()> {
        if self.channels == 1 {
            return Ok(());
        }
        let message = format!("it has {} channels; save each as a gray picture of its own", self.channels);
        Err(Error::invalid(path, message))
    }
}

/// Bytes that can be in a file, unpacked: a file that claims more is damaged.
pub(crate) fn most_bytes(path: &Path, file: &File) -> Result<usize> {
    let len = file.metadata().map_err(|source| Error::io(path, source))?.len();
    Ok(usize::try_from(len.saturating_mul(LARGEST_RATIO)).unwrap_or(usize::MAX))
}
