//! Targets: labels or masks of classes, and voxels that do not count.

use crate::precision::{precision, softmax};
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Error, Result};
use nnunet_torch_ops::ranks::sum_with_gradient;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// From logits to what is compared with the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// Over the classes.
    #[default]
    Softmax,
    /// Of each output on its own, for regions.
    Sigmoid,
    /// None.
    None,
}

impl Nonlinearity {
    /// # Shapes
    /// Unchanged; the result is in single precision, or in double precision for double logits.
    pub(crate) fn apply(self, logits: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Nonlinearity::Softmax => softmax(logits)?,
            Nonlinearity::Sigmoid => logits.f_to_kind(precision(logits))?.f_sigmoid()?,
            Nonlinearity::None => logits.f_to_kind(precision(logits))?,
        })
    }
}

/// The axes counts are summed over: space, and the batch when asked for.
pub(crate) fn summed_axes(probabilities: &Tensor, batch: bool) -> Vec<i64> {
    let space = 2..probabilities.dim() as i64;
    if batch { std::iter::once(0).chain(space).collect() } else { space.collect() }
}

/// Sums over a batch, or over all parts of it where several processes share it out; what is summed by sample stays as it is.
/// `samples` is the size of this process's part.
pub(crate) fn over_ranks(sums: &Tensor, batch: bool, samples: i64) -> Result<Tensor> {
    let samples = usize::try_from(samples).unwrap_or_default();
    Ok(if batch { sum_with_gradient(sums, samples)? } else { sums.shallow_clone() })
}

/// [`class_mask`] in the probabilities' own type.
pub(crate) fn one_hot(target: &Tensor, probabilities: &Tensor, first: i64) -> Result<Tensor> {
    Ok(class_mask(target, probabilities, first)?.f_to_kind(probabilities.kind())?)
}

/// A mask of all classes from `first` on at once, one byte for each voxel and class. A target of the probabilities' shape is
/// one already (regions).
///
/// # Shapes
/// `target` (batch, 1, space...) int64 or (batch, classes, space...); (batch, classes - first, space...) comes back.
pub(crate) fn class_mask(target: &Tensor, probabilities: &Tensor, first: i64) -> Result<Tensor> {
    let classes = probabilities.size()[1];
    if target.size() == probabilities.size() {
        return Ok(target.f_narrow(1, first, classes - first)?);
    }
    if target.size()[1] != 1 {
        let got = format!("{:?}", target.size());
        return Err(Error::shape("a loss over classes", "one channel of labels, or one of each class", got));
    }
    let mut numbers = vec![1; probabilities.dim()];
    numbers[1] = classes - first;
    let numbers =
        Tensor::f_arange_start(first, classes, (target.kind(), target.device()))?.f_reshape(&numbers)?;
    Ok(target.f_eq_tensor(&numbers)?)
}

/// The target with background where the label is the ignored one, and a mask (batch, 1, space...) that is 0 there.
pub(crate) fn ignoring(target: &Tensor, label: Option<i64>) -> Result<(Tensor, Option<Tensor>)> {
    let Some(label) = label else { return Ok((target.shallow_clone(), None)) };
    let counts = target.f_ne(label)?;
    let target = target.f_mul(&counts.f_to_kind(target.kind())?)?;
    Ok((target, Some(counts.f_to_kind(nnunet_plugin_api::tch::Kind::Float)?)))
}
