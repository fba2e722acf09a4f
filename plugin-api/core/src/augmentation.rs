//! Augmentations: random changes of a sample before the network sees it.

use ndarray::Array4;
use serde::{Deserialize, Serialize};

use crate::{RandomStream, Result};

/// A training sample: the image of a box cut from a case, with its labels on the same grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// (channels, z, y, x); a slice has z = 1.
    pub data: Array4<f32>,
    /// (channels, z, y, x): the labels, -1 outside the nonzero mask; in a cascade also the previous stage's labels.
    pub seg: Array4<f32>,
}

/// What an augmentation needs to know about the task and the network.
///
/// ```
/// use nnunet_plugin_api::AugmentationContext;
///
/// let slices = AugmentationContext { patch: vec![256, 224], num_labels: 2, ..Default::default() };
/// assert!(slices.is_2d());
/// assert_eq!(slices.volume(), [1, 256, 224]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AugmentationContext {
    /// Patch size of the network, (z, y, x) or (y, x), voxels.
    pub patch: Vec<usize>,
    /// The first axis is coarse: rotate, scale and deform within slices only (v1: `do_dummy_2D_data_aug`).
    pub dummy_2d: bool,
    /// By channel: the channel was normalized inside the nonzero mask only, and is set to 0 outside of it.
    pub use_mask: Vec<bool>,
    /// Axes that the trainer mirrors; `None`: the augmentation decides.
    pub mirror_axes: Option<Vec<usize>>,
    /// Number of foreground labels; labels are 1 to this number.
    pub num_labels: usize,
}

impl AugmentationContext {
    /// The network's input as (z, y, x).
    #[must_use]
    pub fn volume(&self) -> [usize; 3] {
        in_3d(&self.patch)
    }

    /// Whether the network sees slices.
    #[must_use]
    pub fn is_2d(&self) -> bool {
        self.patch.len() == 2
    }
}

/// A patch as (z, y, x): a slice gets z = 1.
pub(crate) fn in_3d(patch: &[usize]) -> [usize; 3] {
    let mut volume = [1; 3];
    let axes = patch.len().min(3);
    volume[3 - axes..].copy_from_slice(&patch[..axes]);
    volume
}

/// Changes training samples at random. It works on arrays, not on tensors, and is called by several threads at once.
///
/// ```
/// use nnunet_plugin_api::ndarray::Array4;
/// use nnunet_plugin_api::{Augmentation, AugmentationContext, RandomStream, Result, Sample};
///
/// /// Multiplies each channel by a factor of its own.
/// struct Brightness { low: f64, high: f64 }
///
/// impl Augmentation for Brightness {
///     fn augment(
///         &self,
///         mut sample: Sample,
///         _: &AugmentationContext,
///         random: &mut RandomStream,
///     ) -> Result<Sample> {
///         for mut channel in sample.data.outer_iter_mut() {
///             let factor = random.uniform(self.low, self.high) as f32;
///             channel.mapv_inplace(|value| value * factor);
///         }
///         Ok(sample)
///     }
/// }
///
/// let context = AugmentationContext { patch: vec![4, 4, 4], num_labels: 1, ..AugmentationContext::default() };
/// let sample = Sample { data: Array4::ones((1, 4, 4, 4)), seg: Array4::zeros((1, 4, 4, 4)) };
/// let brighter = Brightness { low: 2.0, high: 3.0 };
/// let sample = brighter.augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap();
/// assert!(sample.data.iter().all(|value| (2.0..3.0).contains(value)));
/// ```
///
/// Source: v1's transform lists (`get_moreDA_augmentation` and the like).
pub trait Augmentation: Send + Sync {
    /// Size of the box that is cut from a case: as many axes as the context's patch, and no axis shorter. The patch
    /// is its center. Rotation and scaling need a margin around the patch.
    ///
    /// # Errors
    /// Returns an error if the parameters do not fit the task.
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Vec<usize>> {
        Ok(context.patch.clone())
    }

    /// Size of the central part of that box which [`Augmentation::augment`] uses when it is called with the same random
    /// numbers; only this part is read from the case. By default the whole box.
    ///
    /// # Errors
    /// Returns an error if the parameters do not fit the task.
    fn crop(&self, context: &AugmentationContext, _random: &RandomStream) -> Result<Vec<usize>> {
        self.generator_patch(context)
    }

    /// Augments a sample of the size that [`Augmentation::crop`] returned; the result has the patch size. Afterwards
    /// the host sets negative labels to background, and appends a second channel of `seg`, if there still is one, to
    /// the data as one-hot channels.
    ///
    /// # Errors
    /// Returns an error if the sample cannot be augmented.
    fn augment(
        &self,
        sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample>;
}
