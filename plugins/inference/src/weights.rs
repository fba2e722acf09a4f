//! Weights of the voxels of a tile.

use nnunet_numerics::gaussian_importance_map;
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

use crate::window::{Scores, SlidingWindow};

/// Maximum of v2's weights: large enough that half precision resolves the small ones.
const V2_MAXIMUM: f32 = 10.0;

/// Weights of a tile's voxels. In v1 a single tile has none; v2 always weights, in half precision.
pub(crate) fn weights(how: &SlidingWindow, tiles: usize) -> Result<Tensor> {
    let shape: Vec<i64> = how.patch.iter().map(|len| *len as i64).collect();
    if how.scores == Scores::Logits {
        return half_weights(&gaussian(&how.patch), &shape);
    }
    if tiles == 1 || !how.gaussian {
        return Ok(Tensor::f_ones(&shape, (Kind::Float, Device::Cpu))?);
    }
    Ok(Tensor::f_from_slice(&gaussian(&how.patch))?.f_reshape(&shape)?)
}

fn gaussian(patch: &[usize]) -> Vec<f32> {
    let mut size = [1; 3];
    size[3 - patch.len()..].copy_from_slice(patch);
    gaussian_importance_map(size).into_raw_vec_and_offset().0
}

/// What vanishes in half precision becomes the smallest weight that does not.
fn half_weights(map: &[f32], shape: &[i64]) -> Result<Tensor> {
    let map: Vec<f32> = map.iter().map(|value| value * V2_MAXIMUM).collect();
    let half = Tensor::f_from_slice(&map)?.f_to_kind(Kind::Half)?.f_to_kind(Kind::Float)?;
    let mut values = vec![0.0_f32; map.len()];
    half.f_copy_data(&mut values, map.len())?;
    let lowest = values.iter().copied().filter(|value| *value > 0.0).fold(f32::INFINITY, f32::min);
    values.iter_mut().filter(|value| **value == 0.0).for_each(|value| *value = lowest);
    Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(Kind::Half)?)
}
