//! Transforms: single steps of an augmentation.

use crate::{AugmentationContext, RandomStream, Result, Sample};

/// One step of an augmentation: it changes training samples at random. Lists of transforms are data, in which those of
/// plugins stand beside the built-in ones:
///
/// ```toml
/// [trainers.Mine]
/// extends = "nnUNetTrainerV2"
/// augmentation = { name = "moreDA", then = [{ transform = "Gaps", p = 0.5 }] }
/// ```
///
/// `then` adds to the list of an augmentation, `transforms` replaces it. A transform works on arrays, not on tensors, and is
/// called by several threads at once.
///
/// ```
/// use nnunet_plugin_api::ndarray::Array4;
/// use nnunet_plugin_api::{
///     AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample, Transform, inventory,
/// };
///
/// /// Intensities of opposite sign in every second sample.
/// struct Inverted;
///
/// impl Transform for Inverted {
///     fn apply(&self, mut sample: Sample, _: &AugmentationContext, random: &mut RandomStream) -> Result<Sample> {
///         if random.chance(0.5) {
///             sample.data.mapv_inplace(|value| -value);
///         }
///         Ok(sample)
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Transform, "Inverted", "Intensities of opposite sign.");
///     Component::transform(info, |_config| Ok(Box::new(Inverted)))
/// }));
///
/// let sample = || Sample { data: Array4::ones((1, 1, 2, 2)), seg: Array4::zeros((1, 1, 2, 2)) };
/// let mut random = RandomStream::from_seed(1);
/// let mut apply = || Inverted.apply(sample(), &AugmentationContext::default(), &mut random).unwrap();
/// let inverted = (0..100).filter(|_| apply().data[[0, 0, 0, 0]] == -1.0).count();
/// assert!((30..70).contains(&inverted));
/// ```
///
/// Source: the transforms of batchgenerators (v1) and batchgeneratorsv2 (v2).
pub trait Transform: Send + Sync {
    /// Size of the box that is cut from a case if this is the first transform of a list: as many axes as the context's
    /// patch, and no axis shorter. `None`: the patch.
    ///
    /// # Errors
    /// Returns an error if the parameters do not fit the task.
    fn generator_patch(&self, _context: &AugmentationContext) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// Size of the central part of that box which [`Transform::apply`] uses when it is called with the same random numbers;
    /// only this part is read from the case. `None`: the whole box.
    ///
    /// # Errors
    /// Returns an error if the parameters do not fit the task.
    fn crop(&self, _context: &AugmentationContext, _random: &RandomStream) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// Changes a sample: images and labels of (channels, z, y, x), where a slice has z = 1; labels outside the nonzero mask
    /// are -1. The first transform of a list returns the size of the patch, all others the size that they are given; the
    /// number of image channels stays.
    ///
    /// # Errors
    /// Returns an error if the sample cannot be changed.
    fn apply(
        &self,
        sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample>;
}
