//! Image formats: files to voxels with their geometry, and back.

use std::path::Path;

use ndarray::{Array3, ArrayView3};

use crate::vocabulary::ItkGeometry;
use crate::{Error, Info, Result};

/// Reads and writes the files of one format. A format says which endings it reads and writes when it is registered
/// ([`Info::reads`], [`Info::writes`]); the host picks it by the ending of a file's name.
///
/// Source: `SimpleITKIO` and the other `BaseReaderWriter` of v2.
pub trait ImageFormat: Send + Sync {
    /// The image in a file.
    ///
    /// # Errors
    /// A file that is not of this format, is damaged, or says something this format's reader does not know.
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        Err(Error::message(format!("{}: this format cannot be read", path.display())))
    }

    /// Size and place of the image in a file. By default the whole file is read.
    ///
    /// # Errors
    /// As [`ImageFormat::read`].
    fn read_header(&self, path: &Path) -> Result<ImageHeader> {
        let image = self.read(path)?;
        let (z, y, x) = image.voxels.dim();
        Ok(ImageHeader { size: [z, y, x], geometry: image.geometry })
    }

    /// Writes an image to a file that does not exist yet.
    ///
    /// # Errors
    /// What the system says, or an image the format cannot hold.
    fn write(&self, path: &Path, _voxels: ArrayView3<'_, f32>, _geometry: &ItkGeometry) -> Result<()> {
        Err(Error::message(format!("{}: this format cannot be written", path.display())))
    }

    /// Writes a label map. By default as an image.
    ///
    /// # Errors
    /// As [`ImageFormat::write`].
    fn write_labels(&self, path: &Path, labels: ArrayView3<'_, u8>, geometry: &ItkGeometry) -> Result<()> {
        self.write(path, labels.mapv(f32::from).view(), geometry)
    }
}

/// An image and where it lies.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageVolume {
    /// (z, y, x).
    pub voxels: Array3<f32>,
    /// In ITK's convention: (x, y, z) order, LPS world, mm.
    pub geometry: ItkGeometry,
}

/// Size and place of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageHeader {
    /// Voxels, (z, y, x).
    pub size: [usize; 3],
    /// As in [`ImageVolume::geometry`].
    pub geometry: ItkGeometry,
}

impl Info {
    /// The format reads files whose names end so, for example `.nrrd`.
    #[must_use]
    pub fn reads(self, ending: &str) -> Self {
        self.with_capability(format!("reads {ending}"))
    }

    /// The format writes files whose names end so.
    #[must_use]
    pub fn writes(self, ending: &str) -> Self {
        self.with_capability(format!("writes {ending}"))
    }

    /// The endings after a word, `reads` or `writes`.
    pub fn endings(&self, word: &str) -> impl Iterator<Item = &str> {
        self.capabilities.iter().filter_map(move |known| known.strip_prefix(word)?.strip_prefix(' '))
    }
}
