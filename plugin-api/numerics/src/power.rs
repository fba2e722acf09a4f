//! Powers of many numbers at once.

use std::f32::consts::{LN_2, SQRT_2};

use ndarray::ArrayViewMut3;

use crate::wide::wide;

/// Raises numbers from 0 to about 1 to a positive power, to six digits. Without branches, so that it vectorises.
///
/// ```
/// use ndarray::Array3;
/// use nnunet_numerics::power_in_place;
///
/// let mut image = Array3::from_elem((1, 1, 1), 0.25);
/// power_in_place(image.view_mut(), 0.5);
/// assert!((image[[0, 0, 0]] - 0.5).abs() < 1e-5);
/// ```
pub fn power_in_place(mut array: ArrayViewMut3<'_, f32>, exponent: f32) {
    match array.as_slice_memory_order_mut() {
        Some(values) => wide(
            #[inline(always)]
            || values.iter_mut().for_each(|value| *value = power(*value, exponent)),
        ),
        None => array.mapv_inplace(|value| power(value, exponent)),
    }
}

#[inline(always)]
fn power(base: f32, exponent: f32) -> f32 {
    let raised = exp2((exponent * log2(base)).max(-126.0));
    if base < f32::MIN_POSITIVE { 0.0 } else { raised }
}

/// Mantissa in [sqrt(1/2), sqrt(2)) by its inverse hyperbolic tangent, and exponent.
#[inline(always)]
fn log2(value: f32) -> f32 {
    let bits = value.to_bits().wrapping_sub((SQRT_2 * 0.5).to_bits());
    let exponent = (bits as i32) >> 23;
    let mantissa = f32::from_bits((bits & 0x007f_ffff).wrapping_add((SQRT_2 * 0.5).to_bits()));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let series = t * (1.0 + square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0))));
    exponent as f32 + series * (2.0 / LN_2)
}

/// Adding this rounds a small number to an integer.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn exp2(value: f32) -> f32 {
    let whole = (value + ROUND) - ROUND;
    let x = (value - whole) * LN_2;
    let series = 1.0
        + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x * (1.0 / 720.0))))));
    f32::from_bits(((whole as i32 + 127) << 23) as u32) * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_agree_with_those_of_the_library() {
        for exponent in [0.01_f32, 0.5, 0.7, 1.0, 1.5, 4.0] {
            assert_eq!(power(0.0, exponent), 0.0);
            for i in 1..=1000 {
                let base = i as f32 / 999.0;
                let (ours, theirs) = (power(base, exponent), base.powf(exponent));
                assert!(
                    (ours - theirs).abs() <= 3e-6 * theirs.max(1e-3),
                    "{base}^{exponent}: {ours} {theirs}"
                );
            }
        }
    }
}
