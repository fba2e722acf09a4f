//! Properties of a case (v1: the `.pkl` file of every cropped or preprocessed case).

use serde::{Deserialize, Serialize};

/// Properties of a case. Field names follow v1's keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseProperties {
    /// Size of the raw image, (z, y, x) voxels.
    pub original_size_of_raw_data: [usize; 3],
    /// Spacing of the raw image, (z, y, x) mm.
    pub original_spacing: [f64; 3],
    /// Image files by modality.
    pub list_of_data_files: Vec<String>,
    /// Label file, if there is one.
    pub seg_file: Option<String>,
    /// Origin, spacing and direction as ITK states them.
    pub itk: ItkGeometry,
    /// Crop box in the raw image, (z, y, x): first voxel and the one after the last.
    pub crop_bbox: [[usize; 2]; 3],
    /// Label values that occur after cropping, in ascending order; -1 is outside the nonzero mask.
    pub classes: Vec<f32>,
    /// Size after cropping, (z, y, x) voxels.
    pub size_after_cropping: [usize; 3],
    /// By channel: normalize inside the nonzero mask only. Set by the planner.
    pub use_nonzero_mask_for_norm: Option<Vec<bool>>,
    /// Size after resampling, voxels, in transposed order. Set by the preprocessing.
    pub size_after_resampling: Option<[usize; 3]>,
    /// Spacing after resampling, mm, in transposed order. Set by the preprocessing.
    pub spacing_after_resampling: Option<[f64; 3]>,
    /// Sampled positions of every class in the preprocessed case. Set by the preprocessing.
    pub class_locations: Option<Vec<ClassLocations>>,
}

/// Positions of one foreground class, (z, y, x) of the preprocessed array.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassLocations {
    /// Label value.
    pub class: i64,
    /// At most 10,000 or 1 % of the voxels, whichever is more; empty when the class is absent.
    pub locations: Vec<[i64; 3]>,
}

/// Geometry of an image in ITK's convention: (x, y, z) order, LPS world, mm.
///
/// ```
/// use nnunet_plugin_api::vocabulary::ItkGeometry;
///
/// // World position of voxel (x, y, z): origin + direction * (spacing * voxel).
/// let geometry = ItkGeometry { spacing: [0.5, 0.5, 2.0], origin: [10.0, 0.0, 0.0], ..ItkGeometry::default() };
/// let voxel = [4.0, 0.0, 1.0];
/// let world: [f64; 3] = std::array::from_fn(|row| {
///     let step = |axis: usize| geometry.direction[3 * row + axis] * geometry.spacing[axis] * voxel[axis];
///     geometry.origin[row] + (0..3).map(step).sum::<f64>()
/// });
/// assert_eq!(world, [12.0, 0.0, 2.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ItkGeometry {
    /// World position of voxel (0, 0, 0).
    pub origin: [f64; 3],
    /// Voxel size, mm.
    pub spacing: [f64; 3],
    /// Direction cosines, row-major 3 x 3.
    pub direction: [f64; 9],
}

impl Default for ItkGeometry {
    fn default() -> Self {
        Self { origin: [0.0; 3], spacing: [1.0; 3], direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0] }
    }
}
