//! Postprocessors: they change a label map after prediction.

use ndarray::Array3;

use crate::Result;

/// A label map and the size of its voxels.
///
/// ```
/// use nnunet_plugin_api::LabelVolume;
/// use nnunet_plugin_api::ndarray::Array3;
///
/// let volume = LabelVolume { labels: Array3::ones((2, 3, 4)), spacing: [5.0, 1.0, 1.0] };
/// let voxel: f64 = volume.spacing.iter().product();
/// let foreground = volume.labels.iter().filter(|label| **label != 0).count();
/// assert_eq!(foreground as f64 * voxel, 120.0, "mm^3");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LabelVolume {
    /// Labels, (z, y, x).
    pub labels: Array3<u8>,
    /// Voxel size, mm, (z, y, x).
    pub spacing: [f64; 3],
}

/// Changes a label map after prediction and ensembling, on the grid of the original image. Several label maps may be
/// processed at once, so it takes `&self`.
///
/// ```
/// use nnunet_plugin_api::ndarray::Array3;
/// use nnunet_plugin_api::{LabelVolume, Postprocessor, Result};
///
/// /// Removes a label that occupies less than a given volume in mm^3.
/// struct RemoveSmall { label: u8, mm3: f64 }
///
/// impl Postprocessor for RemoveSmall {
///     fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
///         let voxels = volume.labels.iter().filter(|label| **label == self.label).count();
///         if voxels as f64 * volume.spacing.iter().product::<f64>() < self.mm3 {
///             volume.labels.mapv_inplace(|label| if label == self.label { 0 } else { label });
///         }
///         Ok(())
///     }
/// }
///
/// let mut volume = LabelVolume { labels: Array3::zeros((1, 2, 2)), spacing: [3.0, 1.0, 1.0] };
/// volume.labels[[0, 0, 0]] = 1;
/// RemoveSmall { label: 1, mm3: 3.0 }.apply(&mut volume).unwrap();
/// assert_eq!(volume.labels.sum(), 1, "one voxel of 3 mm^3 is not less than 3 mm^3");
/// RemoveSmall { label: 1, mm3: 3.5 }.apply(&mut volume).unwrap();
/// assert_eq!(volume.labels.sum(), 0);
/// ```
///
/// Built-in example: `remove_all_but_the_largest_connected_component` of v1's `connected_components`.
pub trait Postprocessor: Send + Sync {
    /// Changes the labels of `labels` in place. Its shape must stay as it is.
    ///
    /// # Errors
    /// Returns an error if the label map cannot be processed; the program then reports the case as failed.
    fn apply(&self, labels: &mut LabelVolume) -> Result<()>;
}
