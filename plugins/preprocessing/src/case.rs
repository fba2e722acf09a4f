//! Preprocessing of one case: transpose, resample, normalize (v1 `GenericPreprocessor`).

use ndarray::{Array, Array3, Array4, Axis, Dimension};
use nnunet_numerics::stats::round_half_even;
use nnunet_numerics::{Resampling, resample, resample_labels, resampled_shape, separate_axis};
use nnunet_plugin_core::vocabulary::{IntensityStatistics, Plans};
use nnunet_plugin_core::{
    CaseArrays, Error, GridChange, NormalizationContext, PreprocessContext, PreprocessorSettings, Resampler,
    Result, StageTarget, normalize_channel,
};

use crate::resolve::{Normalizations, Resolved};

/// The stage for which a case is preprocessed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The plans.
    pub plans: &'a Plans,
    /// Index of the stage.
    pub stage: usize,
    /// By channel: normalize inside the nonzero mask only.
    pub use_mask_for_norm: &'a [bool],
}

/// Preprocesses a cropped case with the given `spacing` (z, y, x). The result is in transposed axis order.
///
/// # Errors
/// Returns the error of a preprocessor's hook, or an error if the plans do not have the stage or channel.
pub fn preprocess(
    preprocessor: &Resolved,
    data: Array4<f32>,
    seg: Array3<f32>,
    spacing: [f64; 3],
    target: &Target<'_>,
) -> Result<CaseArrays> {
    let order = target.plans.transpose_forward;
    let case = CaseArrays {
        data: in_order(data.permuted_axes([0, order[0] + 1, order[1] + 1, order[2] + 1])),
        seg: in_order(seg.permuted_axes(order)),
        spacing: order.map(|axis| spacing[axis]),
    };
    let context = context(preprocessor, &case, target)?;
    for hook in preprocessor.chain.iter().rev() {
        if let Some(done) = hook.resample_and_normalize(&case, &context)? {
            return Ok(done);
        }
    }
    let mut case = resampled(preprocessor, case, context.target.spacing)?;
    normalize(&mut case, &context, &preprocessor.normalizations)?;
    Ok(case)
}

fn normalize(case: &mut CaseArrays, context: &PreprocessContext, known: &Normalizations) -> Result<()> {
    for (channel, data) in case.data.axis_iter_mut(Axis(0)).enumerate() {
        let name = &context.normalization_schemes[channel];
        let normalization = known
            .get(name)
            .ok_or_else(|| Error::message(format!("normalization `{name}` was not created")))?;
        let mut seen = NormalizationContext::new(channel, case.seg.view());
        seen.use_mask = context.use_mask_for_norm[channel];
        seen.intensities = context.intensities.as_ref().map(|all| all[channel]);
        normalize_channel(&**normalization, data, &seen)
            .map_err(|error| error.within(format!("normalization {name} of channel {channel}")))?;
    }
    Ok(())
}

/// The array in C order; copied only if it is not.
pub(crate) fn in_order<D: Dimension>(array: Array<f32, D>) -> Array<f32, D> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

fn context(preprocessor: &Resolved, case: &CaseArrays, target: &Target<'_>) -> Result<PreprocessContext> {
    let (plans, settings) = (target.plans, &preprocessor.settings);
    let channels = case.data.dim().0;
    if plans.normalization_schemes.len() != channels || target.use_mask_for_norm.len() != channels {
        return Err(Error::shape(
            "preprocessing",
            format!("{} channels", plans.normalization_schemes.len()),
            channels,
        ));
    }
    let stage = plans
        .plans_per_stage
        .get(target.stage)
        .ok_or_else(|| Error::message("the plans have no such stage"))?;
    let mut spacing = stage.current_spacing;
    if settings.keep_first_axis_spacing {
        spacing[0] = case.spacing[0];
    }
    if preprocessor.keeps_spacing() {
        spacing = case.spacing;
    }
    Ok(PreprocessContext {
        original_spacing: case.spacing,
        target: StageTarget { spacing },
        normalization_schemes: settings.normalization_names(&plans.normalization_schemes),
        use_mask_for_norm: target.use_mask_for_norm.to_vec(),
        intensities: intensities(plans),
    })
}

fn intensities(plans: &Plans) -> Option<Vec<IntensityStatistics>> {
    let all = plans.dataset_properties.intensity_properties.as_ref()?;
    Some(all.iter().map(|channel| channel.global).collect())
}

fn resampled(preprocessor: &Resolved, mut case: CaseArrays, target: [f64; 3]) -> Result<CaseArrays> {
    let settings = &preprocessor.settings;
    if settings.remove_nan {
        case.data.mapv_inplace(|value| if value.is_nan() { 0.0 } else { value });
    }
    let (z, y, x) = case.seg.dim();
    let shape = match settings.fixed_edge_length {
        Some(edge) => edge_shape([y, x], edge),
        None => resampled_shape([z, y, x], case.spacing, target),
    };
    let change = GridChange { shape, from: case.spacing, to: target };
    let mut case = match &preprocessor.resampler {
        Some(resampler) => by_component(&**resampler, case, &change)?,
        None if shape == [z, y, x] => CaseArrays { spacing: target, ..case },
        None => by_settings(settings, &case, &change),
    };
    case.seg.mapv_inplace(|label| if label < -1.0 { 0.0 } else { label });
    Ok(case)
}

/// As the orders of the settings say.
fn by_settings(settings: &PreprocessorSettings, case: &CaseArrays, change: &GridChange) -> CaseArrays {
    let separate = match settings.fixed_edge_length {
        Some(_) => None,
        None => separate_axis(change.from, change.to, settings.force_separate_z),
    };
    let image = Resampling { order: settings.order_data, order_z: settings.order_z_data, separate };
    let labels = Resampling { order: settings.order_seg, order_z: settings.order_z_seg, separate };
    CaseArrays {
        data: resample(case.data.view(), change.shape, image),
        seg: resample_labels(case.seg.view(), change.shape, labels),
        spacing: change.to,
    }
}

/// With the resampler that the settings name.
fn by_component(resampler: &dyn Resampler, case: CaseArrays, change: &GridChange) -> Result<CaseArrays> {
    let (channels, z, y, x) = case.data.dim();
    let [to_z, to_y, to_x] = if resampler.keeps_grid() { [z, y, x] } else { change.shape };
    let data = resampler.image(case.data, change)?;
    let seg = resampler.labels(case.seg, change)?;
    let wanted = (channels, to_z, to_y, to_x);
    if data.dim() != wanted || seg.dim() != (to_z, to_y, to_x) {
        let found = format!("image {:?} and labels {:?}", data.shape(), seg.shape());
        return Err(Error::shape("resampling", format!("an image of {wanted:?}"), found));
    }
    Ok(CaseArrays { data, seg, spacing: change.to })
}

/// One slice whose shorter side has `edge` pixels.
fn edge_shape(slice: [usize; 2], edge: usize) -> [usize; 3] {
    let scale = edge as f64 / slice[0].min(slice[1]) as f64;
    let [y, x] = slice.map(|len| round_half_even(len as f64 * scale) as usize);
    [1, y, x]
}
