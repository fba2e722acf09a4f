//! Passes of a resampling over scores, (classes, z, y, x), on the device where they are. Every rounding is that of
//! [`nnunet_numerics::resample`], so that the values are the same to the bit.

use nnunet_numerics::{AxisPass, Clip, PassRule, Passes, SplineFilter};
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

/// All passes, over scores that hold what they need.
pub(crate) fn resampled(scores: &Tensor, passes: &Passes) -> Result<Tensor> {
    let bounds = Bounds::of(scores, passes.clip.as_ref())?;
    let mut scores = scores.shallow_clone();
    for (i, pass) in passes.all.iter().enumerate() {
        scores = bounds.clipped(i + 1, along_axis(&scores, pass)?)?;
    }
    Ok(scores)
}

/// One pass.
pub(crate) fn along_axis(scores: &Tensor, pass: &AxisPass) -> Result<Tensor> {
    let axis = pass.axis as i64 + 1;
    if pass.padding == 0 {
        return combined(scores, axis, pass);
    }
    // Rows of the axis come first, so that each of them is one piece of memory.
    let n = scores.size()[axis as usize];
    let padding = pass.padding as i64;
    let continued: Vec<i64> = (0..n + 2 * padding).map(|k| (k - padding).clamp(0, n - 1)).collect();
    let lines = scores.f_movedim_int(axis, 0)?.f_index_select(0, &there(&continued, scores.device())?)?;
    filter(&lines)?;
    Ok(combined(&lines, 0, pass)?.f_movedim_int(0, axis)?)
}

fn there(at: &[i64], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(at)?.f_to_device(device)?)
}

/// The outputs of a pass from samples, or from filtered ones, along an axis of `lines`.
pub(crate) fn combined(lines: &Tensor, axis: i64, pass: &AxisPass) -> Result<Tensor> {
    let sample = |k: usize| -> Result<Tensor> {
        Ok(lines.f_index_select(axis, &there(&pass.samples[k], lines.device())?)?)
    };
    let weights = |k: usize, kind: Kind| -> Result<Tensor> {
        let mut shape = vec![1; lines.dim()];
        shape[axis as usize] = pass.outputs() as i64;
        let weights = Tensor::f_from_slice(&pass.weights[k])?.f_to_kind(kind)?;
        Ok(weights.f_to_device(lines.device())?.f_reshape(shape)?)
    };
    // Terms are added one after the other, as in main memory.
    let sum = |kind: Kind| -> Result<Tensor> {
        let term =
            |k: usize| -> Result<Tensor> { Ok(sample(k)?.f_to_kind(kind)?.f_mul_(&weights(k, kind)?)?) };
        (1..pass.samples.len()).try_fold(term(0)?, |mut sum, k| Ok(sum.f_add_(&term(k)?)?))
    };
    match pass.rule {
        PassRule::Nearest => sample(0),
        PassRule::Linear => {
            let a = sample(0)?;
            let mut step = sample(1)?.f_sub_(&a)?;
            Ok(step.f_mul_(&weights(1, Kind::Float)?)?.f_add_(&a)?)
        }
        PassRule::Spline => sum(Kind::Float),
        PassRule::Weighted => Ok(sum(Kind::Double)?.f_to_kind(Kind::Float)?),
    }
}

/// Changes rows along the first axis, which are continued at both ends, into coefficients of splines. Once the first value
/// has changed, no memory is asked for any more.
pub(crate) fn filter(lines: &Tensor) -> Result<()> {
    let SplineFilter { gain, pole, first_divisor, last_factor } = SplineFilter::CUBIC;
    let number =
        |value: f32| -> Result<Tensor> { Ok(Tensor::f_from_slice(&[value])?.f_to_device(lines.device())?) };
    // A GPU would multiply by the inverse of a number, which rounds otherwise; it divides by a tensor.
    let (divisor, factor) = (number(first_divisor)?, number(pole)?);
    let row = |k: i64| lines.f_select(0, k);
    let product = row(0)?.f_empty_like()?;
    let last = lines.size()[0] - 1;
    let _ = lines.shallow_clone().f_mul_scalar_(f64::from(gain))?;
    let _ = row(0)?.f_div_(&divisor)?;
    for k in 1..=last {
        let _ = row(k - 1)?.f_mul_out(&product, &factor)?;
        let _ = row(k)?.f_add_(&product)?;
    }
    let _ = row(last)?.f_mul_scalar_(f64::from(last_factor))?;
    for k in (0..last).rev() {
        // pole (next - row)
        let _ = row(k)?.f_sub_(&row(k + 1)?)?.f_mul_scalar_(-f64::from(pole))?;
    }
    Ok(())
}

/// The range that results of splines are clipped to.
#[derive(Debug)]
pub(crate) struct Bounds(Option<(usize, [Tensor; 2])>);

impl Bounds {
    /// Of the input of all passes.
    pub(crate) fn of(scores: &Tensor, clip: Option<&Clip>) -> Result<Self> {
        let Some(clip) = clip else { return Ok(Self(None)) };
        let axes: Vec<i64> = clip.axes.iter().map(|axis| *axis as i64 + 1).collect();
        let range = [scores.f_amin(axes.as_slice(), true)?, scores.f_amax(axes.as_slice(), true)?];
        Ok(Self(Some((clip.after, range))))
    }

    /// Scores after `done` passes, clipped if it is time for it.
    pub(crate) fn clipped(&self, done: usize, mut scores: Tensor) -> Result<Tensor> {
        match &self.0 {
            Some((after, [low, high])) if *after == done => {
                Ok(scores.f_clamp_tensor_(Some(low), Some(high))?)
            }
            _ => Ok(scores),
        }
    }

    pub(crate) fn to_main_memory(&self) -> Result<Self> {
        let Some((after, [low, high])) = &self.0 else { return Ok(Self(None)) };
        Ok(Self(Some((*after, [low.f_to_device(Device::Cpu)?, high.f_to_device(Device::Cpu)?]))))
    }
}
