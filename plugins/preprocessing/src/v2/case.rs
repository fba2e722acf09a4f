//! Preprocessing of one case of v2.

use ndarray::Axis;
use nnunet_plugin_core::vocabulary::IntensityStatistics;
use nnunet_plugin_core::{
    CaseArrays, Error, NormalizationContext, PreprocessContext, Result, StageTarget, normalize_channel,
    resample_image, resample_labels, target_shape,
};

use crate::Cropped;
use crate::case::in_order;
use crate::resolve::{Resamplers, Resolved};

/// How the cases of a configuration are preprocessed.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// The preprocessor that the plans name, with the normalizations of `schemes`.
    pub preprocessor: &'a Resolved,
    /// Axis order of preprocessed arrays.
    pub transpose_forward: [usize; 3],
    /// Two or three axes, transposed order; slices keep their distance.
    pub spacing: &'a [f64],
    /// Normalization by channel.
    pub schemes: &'a [String],
    /// By channel: only inside the nonzero mask.
    pub use_mask_for_norm: &'a [bool],
    /// Foreground intensities of the data set by channel.
    pub intensities: Option<Vec<IntensityStatistics>>,
    /// What resamples images and labels.
    pub resamplers: &'a Resamplers,
}

impl Recipe<'_> {
    /// Spacing of the network's grid for a case's, both in transposed order.
    #[must_use]
    pub fn target(&self, spacing: [f64; 3]) -> [f64; 3] {
        if self.preprocessor.settings.keep_spacing {
            return spacing;
        }
        let mut target = [spacing[0]; 3];
        target[3 - self.spacing.len()..].copy_from_slice(self.spacing);
        target
    }

    /// Size of a case of this size and spacing on the network's grid, all in transposed order.
    #[must_use]
    pub fn shape(&self, size: [usize; 3], spacing: [f64; 3]) -> [usize; 3] {
        target_shape(&*self.resamplers.data, size, spacing, self.target(spacing))
    }
}

/// Preprocesses a cropped case; `spacing` is its own, (z, y, x). The result is in transposed axis order.
///
/// # Errors
/// Returns the error of the preprocessor's hook or of a normalization, or an error if the number of channels is not
/// that of the plans.
pub fn preprocess(recipe: &Recipe<'_>, cropped: Cropped, spacing: [f64; 3]) -> Result<CaseArrays> {
    let order = recipe.transpose_forward;
    let Cropped { data, seg, .. } = cropped;
    let mut case = CaseArrays {
        data: in_order(data.permuted_axes([0, order[0] + 1, order[1] + 1, order[2] + 1])),
        seg: in_order(seg.permuted_axes(order)),
        spacing: order.map(|axis| spacing[axis]),
    };
    let context = context(recipe, &case)?;
    for hook in recipe.preprocessor.chain.iter().rev() {
        if let Some(done) = hook.resample_and_normalize(&case, &context)? {
            return Ok(done);
        }
    }
    if recipe.preprocessor.settings.remove_nan {
        case.data.mapv_inplace(|value| if value.is_nan() { 0.0 } else { value });
    }
    normalize(recipe, &mut case, &context)?;
    let (from, to) = (case.spacing, context.target.spacing);
    Ok(CaseArrays {
        data: resample_image(&*recipe.resamplers.data, case.data, from, to)?,
        seg: resample_labels(&*recipe.resamplers.labels, case.seg, from, to)?,
        spacing: to,
    })
}

fn context(recipe: &Recipe<'_>, case: &CaseArrays) -> Result<PreprocessContext> {
    let channels = case.data.dim().0;
    if recipe.schemes.len() != channels || recipe.use_mask_for_norm.len() != channels {
        let wanted = format!("{} channels", recipe.schemes.len());
        return Err(Error::shape("preprocessing", wanted, channels));
    }
    Ok(PreprocessContext {
        original_spacing: case.spacing,
        target: StageTarget { spacing: recipe.target(case.spacing) },
        normalization_schemes: recipe.preprocessor.settings.normalization_names(recipe.schemes),
        use_mask_for_norm: recipe.use_mask_for_norm.to_vec(),
        intensities: recipe.intensities.clone(),
    })
}

fn normalize(recipe: &Recipe<'_>, case: &mut CaseArrays, context: &PreprocessContext) -> Result<()> {
    for (channel, data) in case.data.axis_iter_mut(Axis(0)).enumerate() {
        let name = &context.normalization_schemes[channel];
        let normalization = recipe
            .preprocessor
            .normalizations
            .get(name)
            .ok_or_else(|| Error::message(format!("normalization `{name}` has not been made")))?;
        let mut seen = NormalizationContext::new(channel, case.seg.view());
        seen.use_mask = context.use_mask_for_norm[channel];
        seen.intensities = context.intensities.as_ref().and_then(|all| all.get(channel).copied());
        normalize_channel(&**normalization, data, &seen)
            .map_err(|error| error.within(format!("normalization {name} of channel {channel}")))?;
    }
    Ok(())
}
