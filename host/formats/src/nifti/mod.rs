//! NIfTI-1 images (`.nii`, `.nii.gz`) with their geometry in ITK's convention, as SimpleITK reads and writes them.

mod geometry;
mod header;
mod read;
mod split;
mod write;

use ndarray::Array3;

pub use read::{for_each_slice, read, read_geometry};
pub use split::split;
pub use write::{write_image, write_labels};

/// Size and place of an image. (x, y, z) order, LPS world, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Voxels.
    pub size: [usize; 3],
    /// Voxel size.
    pub spacing: [f64; 3],
    /// World position of voxel (0, 0, 0).
    pub origin: [f64; 3],
    /// Direction cosines, row-major 3 x 3: column i is the direction of axis i.
    pub direction: [f64; 9],
}

impl Geometry {
    /// Spacing in array order (z, y, x).
    #[must_use]
    pub fn spacing_zyx(&self) -> [f64; 3] {
        let [x, y, z] = self.spacing;
        [z, y, x]
    }

    /// Size in array order (z, y, x).
    #[must_use]
    pub fn size_zyx(&self) -> [usize; 3] {
        let [x, y, z] = self.size;
        [z, y, x]
    }
}

/// An image: voxels in (z, y, x) order and their geometry.
#[derive(Debug, Clone)]
pub struct Image {
    /// (z, y, x).
    pub data: Array3<f32>,
    /// Where it lies.
    pub geometry: Geometry,
}
