//! Postprocessors: change a label map after prediction.

use ndarray::Array3;

use crate::Result;

/// A label map and the size of its voxels.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelVolume {
    /// (z, y, x).
    pub labels: Array3<u8>,
    /// Voxel size, mm, (z, y, x).
    pub spacing: [f64; 3],
}

/// Changes a label map in place.
pub trait Postprocessor: Send + Sync {
    /// Changes `labels`; the shape stays.
    ///
    /// # Errors
    /// A label map this postprocessor cannot handle.
    fn apply(&self, labels: &mut LabelVolume) -> Result<()>;
}
