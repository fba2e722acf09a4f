//! Image formats: files to voxels with their geometry, and back.

use std::path::Path;

use ndarray::{Array3, Array4, ArrayView3, Axis};

use crate::vocabulary::ItkGeometry;
use crate::{Error, Info, Result};

/// Reads and writes the files of one format. A format says which endings it reads and writes when it is registered
/// ([`Info::reads`], [`Info::writes`]); the host picks it by the ending of a file's name.
///
/// ```
/// use std::path::Path;
/// use nnunet_plugin_api::ndarray::Array3;
/// use nnunet_plugin_api::vocabulary::ItkGeometry;
/// use nnunet_plugin_api::{Component, ImageFormat, ImageVolume, Info, Kind, Result};
///
/// /// Reads cubes of bytes with voxels of 1 mm.
/// struct Cube;
///
/// impl ImageFormat for Cube {
///     fn read(&self, path: &Path) -> Result<ImageVolume> {
///         let bytes = std::fs::read(path).map_err(|error| {
///             nnunet_plugin_api::Error::message(format!("{}: {error}", path.display()))
///         })?;
///         let edge = (bytes.len() as f64).cbrt() as usize;
///         let voxels = Array3::from_shape_fn((edge, edge, edge), |(z, y, x)| {
///             f32::from(bytes[(z * edge + y) * edge + x])
///         });
///         let direction = [1., 0., 0., 0., 1., 0., 0., 0., 1.];
///         Ok(ImageVolume { voxels, geometry: ItkGeometry { origin: [0.0; 3], spacing: [1.0; 3], direction } })
///     }
/// }
///
/// let info = Info::new(Kind::Format, "Cube", "Cubes of bytes.").reads(".cube");
/// let component = Component::format(info, |_config| Ok(Box::new(Cube)));
/// assert_eq!(component.info.endings("reads").collect::<Vec<_>>(), [".cube"]);
/// ```
///
/// Source: `SimpleITKIO` and the other `BaseReaderWriter` of v2.
pub trait ImageFormat: Send + Sync {
    /// Reads the image in a file: voxels in (z, y, x) order, and the geometry.
    ///
    /// # Errors
    /// Returns an error if the file is not of this format, is damaged, or uses a feature that is not supported.
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        Err(Error::message(format!("{}: this format cannot be read", path.display())))
    }

    /// Reads all channels of a file, (channel, z, y, x). The default is for formats with one channel in a file.
    ///
    /// # Errors
    /// As [`ImageFormat::read`].
    fn read_channels(&self, path: &Path) -> Result<Array4<f32>> {
        Ok(self.read(path)?.voxels.insert_axis(Axis(0)))
    }

    /// Calls `body` with the index and the voxels, in (y, x) order, of every slice. The default reads the whole image
    /// first; a format that reads slice by slice needs less memory.
    ///
    /// # Errors
    /// As [`ImageFormat::read`].
    fn for_each_slice(&self, path: &Path, body: &mut dyn FnMut(usize, &[f32])) -> Result<ImageHeader> {
        let image = self.read(path)?;
        image.for_each_slice(body);
        Ok(image.header())
    }

    /// Whether [`ImageFormat::read`] replaces numbers that are not finite by 0, as ITK's reader of NIfTI does.
    fn reads_nan_as_zero(&self) -> bool {
        false
    }

    /// Reads the image as [`ImageFormat::read`] does, but keeps numbers that are not finite.
    ///
    /// # Errors
    /// As [`ImageFormat::read`].
    fn read_keeping_nan(&self, path: &Path) -> Result<ImageVolume> {
        self.read(path)
    }

    /// Reads the size and the geometry of the image in a file. The default reads the whole file.
    ///
    /// # Errors
    /// As [`ImageFormat::read`].
    fn read_header(&self, path: &Path) -> Result<ImageHeader> {
        Ok(self.read(path)?.header())
    }

    /// Writes an image, (z, y, x), to a file that does not exist yet. The host renames the file when it is complete.
    ///
    /// # Errors
    /// Returns an I/O error if the file cannot be written, or an error if the format cannot hold the image.
    fn write(&self, path: &Path, _voxels: ArrayView3<'_, f32>, _geometry: &ItkGeometry) -> Result<()> {
        Err(Error::message(format!("{}: this format cannot be written", path.display())))
    }

    /// Writes a label map, (z, y, x). The default writes it with [`ImageFormat::write`].
    ///
    /// # Errors
    /// As [`ImageFormat::write`].
    fn write_labels(&self, path: &Path, labels: ArrayView3<'_, u8>, geometry: &ItkGeometry) -> Result<()> {
        self.write(path, labels.mapv(f32::from).view(), geometry)
    }

    /// Writes a label map of a model with more than 255 labels. By default as an image.
    ///
    /// # Errors
    /// As [`ImageFormat::write`].
    fn write_wide_labels(
        &self,
        path: &Path,
        labels: ArrayView3<'_, u16>,
        geometry: &ItkGeometry,
    ) -> Result<()> {
        self.write(path, labels.mapv(f32::from).view(), geometry)
    }
}

/// An image with its geometry.
///
/// ```
/// use nnunet_plugin_api::ImageVolume;
/// use nnunet_plugin_api::ndarray::Array3;
/// use nnunet_plugin_api::vocabulary::ItkGeometry;
///
/// let geometry = ItkGeometry { spacing: [0.5, 0.5, 3.0], ..ItkGeometry::default() };
/// let image = ImageVolume { voxels: Array3::zeros((2, 4, 4)), geometry };
/// assert_eq!(image.header().size, [2, 4, 4], "(z, y, x)");
/// assert_eq!(image.header().geometry.spacing[2], 3.0, "(x, y, z), as ITK has it");
///
/// let mut slices = 0;
/// image.for_each_slice(&mut |index, voxels| {
///     assert_eq!((index, voxels.len()), (slices, 16));
///     slices += 1;
/// });
/// assert_eq!(slices, 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageVolume {
    /// (z, y, x).
    pub voxels: Array3<f32>,
    /// In ITK's convention: (x, y, z) order, LPS world, mm.
    pub geometry: ItkGeometry,
}

impl ImageVolume {
    /// Size and geometry of the image.
    #[must_use]
    pub fn header(&self) -> ImageHeader {
        let (z, y, x) = self.voxels.dim();
        ImageHeader { size: [z, y, x], geometry: self.geometry }
    }

    /// Calls `body` with the index and the voxels, in (y, x) order, of every slice.
    pub fn for_each_slice(&self, body: &mut dyn FnMut(usize, &[f32])) {
        for (number, slice) in self.voxels.outer_iter().enumerate() {
            match slice.as_slice() {
                Some(voxels) => body(number, voxels),
                None => body(number, &slice.iter().copied().collect::<Vec<f32>>()),
            }
        }
    }
}

/// Size and geometry of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageHeader {
    /// Voxels, (z, y, x).
    pub size: [usize; 3],
    /// As in [`ImageVolume::geometry`].
    pub geometry: ItkGeometry,
}

impl Info {
    /// Declares that the format reads files with this ending, for example `.nrrd`.
    ///
    /// ```
    /// use nnunet_plugin_api::{Info, Kind};
    ///
    /// let info = Info::new(Kind::Format, "Minc", "MINC images.").reads(".mnc").reads(".mnc.gz").writes(".mnc");
    /// assert_eq!(info.endings("reads").collect::<Vec<_>>(), [".mnc", ".mnc.gz"]);
    /// assert_eq!(info.endings("writes").collect::<Vec<_>>(), [".mnc"]);
    /// ```
    #[must_use]
    pub fn reads(self, ending: &str) -> Self {
        self.with_capability(format!("reads {ending}"))
    }

    /// Declares that the format writes files with this ending.
    #[must_use]
    pub fn writes(self, ending: &str) -> Self {
        self.with_capability(format!("writes {ending}"))
    }

    /// The endings declared with [`Info::reads`] (`word` is `reads`) or [`Info::writes`] (`word` is `writes`).
    pub fn endings(&self, word: &str) -> impl Iterator<Item = &str> {
        self.capabilities.iter().filter_map(move |known| known.strip_prefix(word)?.strip_prefix(' '))
    }
}
