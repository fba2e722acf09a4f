//! Soft counts of a confusion matrix (v1 `get_tp_fp_fn_tn`).

use crate::precision::precision;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::Tensor;

/// True and false, positives and negatives by class.
#[derive(Debug)]
pub struct Counts {
    /// Probability inside the class.
    pub tp: Tensor,
    /// Probability outside of the class.
    pub fp: Tensor,
    /// Missing probability inside the class.
    pub fn_: Tensor,
    /// Missing probability outside of the class.
    pub tn: Tensor,
}

impl Counts {
    /// Sums over `axes`; voxels where `mask` is 0 do not count; with `square` the summands are squared.
    ///
    /// # Shapes
    /// `p` and `y` (batch, classes, space...), `mask` (batch, 1, space...).
    ///
    /// # Errors
    /// Returns an error if the shapes do not fit.
    pub fn new(p: &Tensor, y: &Tensor, axes: &[i64], mask: Option<&Tensor>, square: bool) -> Result<Self> {
        let sum = |product: Tensor| -> Result<Tensor> {
            let product = match mask {
                Some(mask) => product.f_mul(mask)?,
                None => product,
            };
            let product = if square { product.f_square()? } else { product };
            Ok(product.f_sum_dim_intlist(axes, false, precision(&product))?)
        };
        let (not_p, not_y) = (p.f_neg()? + 1.0, y.f_neg()? + 1.0);
        Ok(Self {
            tp: sum(p.f_mul(y)?)?,
            fp: sum(p.f_mul(&not_y)?)?,
            fn_: sum(not_p.f_mul(y)?)?,
            tn: sum(not_p.f_mul(&not_y)?)?,
        })
    }
}

/// All but the first class along the class axis, which is the last one of counts.
pub(crate) fn foreground(scores: &Tensor, do_bg: bool) -> Result<Tensor> {
    let classes = scores.size().last().copied().unwrap_or(1);
    Ok(if do_bg { scores.shallow_clone() } else { scores.f_narrow(-1, 1, classes - 1)? })
}
