//! The cases of a run.

use std::ops::Range;

use ndarray::ArrayViewMut4;
use nnunet_plugin_api::{Config, Result};

/// Preprocessed cases by number. Read from several threads at once.
pub trait CaseSource: Send + Sync {
    /// Number of cases.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of a case.
    fn name(&self, case: usize) -> &str;

    /// Shape of a case, (image channels, z, y, x).
    fn shape(&self, case: usize) -> [usize; 4];

    /// Channels of labels: one, or two with the previous stage's.
    fn label_channels(&self) -> usize {
        1
    }

    /// Sampled positions (z, y, x) of every class that occurs.
    fn locations(&self, case: usize) -> &[Vec<[i64; 3]>];

    /// Sampled positions (z, y, x) of all labels, where unlabeled voxels are ignored: patches are cut around them. None:
    /// every voxel has a label, and patches without foreground may be cut anywhere.
    fn annotated(&self, _case: usize) -> Option<&[[i64; 3]]> {
        None
    }

    /// What else is known of a case, for hooks.
    fn properties(&self, case: usize) -> Config {
        Config::from_iter([("shape".to_owned(), self.shape(case).to_vec().into())])
    }

    /// Copies a box (z, y, x) of image and labels into arrays of its size. Nothing else of the case is read.
    ///
    /// # Errors
    /// Returns an error if a case cannot be read.
    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        data: ArrayViewMut4<'_, f32>,
        seg: ArrayViewMut4<'_, f32>,
    ) -> Result<()>;
}
