//! The sliding window of nnU-Net v2: logits are averaged, in half precision as v2 keeps them
//! (`nnUNetPredictor.predict_sliding_window_return_logits`).

use ndarray::ArrayView4;
use nnunet_numerics::gaussian_importance_map;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Network, Result};

use crate::sliding_window::{SlidingWindow, corners, mirrored_mean, pad, part, to_tensor};
use crate::tiles::tile_starts;

/// Maximum of the weights: large enough that half precision resolves the small ones.
const GAUSSIAN_MAXIMUM: f32 = 10.0;

/// Mean logits of several networks.
///
/// # Shapes
/// `image` is (channels, z, y, x); the result is (heads, z, y, x) in half precision. A 2D network sees slice by slice.
///
/// # Errors
/// What a network returns; no network; a step outside (0, 1].
pub fn predict_logits(
    networks: &[Box<dyn Network>],
    image: ArrayView4<'_, f32>,
    how: &SlidingWindow,
) -> Result<Tensor> {
    if !(how.step > 0.0 && how.step <= 1.0) {
        return Err(Error::parameter("step_size", "must be larger than 0 and at most 1"));
    }
    let image = to_tensor(image)?;
    let mut sum: Option<Tensor> = None;
    for network in networks {
        let logits = of_volume(&**network, &image, how)?;
        sum = Some(match sum {
            None => logits,
            Some(mut sum) => sum.f_add_(&logits)?,
        });
    }
    let mut sum = sum.ok_or_else(|| Error::message("the model has no network"))?;
    if networks.len() > 1 { Ok(sum.f_div_scalar_(networks.len() as f64)?) } else { Ok(sum) }
}

fn of_volume(network: &dyn Network, image: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    let weights = weights(&how.patch)?;
    if how.patch.len() == 3 {
        return window(network, image, &weights, how);
    }
    let slices = (0..image.size()[1]).map(|z| window(network, &image.f_select(1, z)?, &weights, how));
    Ok(Tensor::f_stack(&slices.collect::<Result<Vec<_>>>()?, 1)?)
}

/// (channels, space...) to (heads, space...), space having the patch's axes.
fn window(network: &dyn Network, image: &Tensor, weights: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    let (padded, before) = pad(image, &how.patch)?;
    let size: Vec<usize> = padded.size()[1..].iter().map(|len| *len as usize).collect();
    let starts: Vec<Vec<usize>> =
        size.iter().zip(&how.patch).map(|(len, patch)| tile_starts(*len, *patch, how.step)).collect();
    let mut shape = vec![how.num_classes as i64];
    shape.extend(&padded.size()[1..]);
    let mut sum = Tensor::f_zeros(&shape, (Kind::Half, Device::Cpu))?;
    let total = Tensor::f_zeros(&shape[1..], (Kind::Half, Device::Cpu))?;
    for corner in corners(&starts) {
        let logits = mirrored(network, &part(&padded, &corner, &how.patch, 1)?, how)?.f_mul(weights)?;
        let _ = part(&sum, &corner, &how.patch, 1)?.f_add_(&logits)?;
        let _ = part(&total, &corner, &how.patch, 0)?.f_add_(weights)?;
    }
    let mean = sum.f_div_(&total)?;
    let original: Vec<usize> = image.size()[1..].iter().map(|len| *len as usize).collect();
    part(&mean, &before, &original, 1)
}

/// Gaussian weights in half precision; what vanishes there becomes the smallest weight that does not.
fn weights(patch: &[usize]) -> Result<Tensor> {
    let mut size = [1; 3];
    size[3 - patch.len()..].copy_from_slice(patch);
    let map: Vec<f32> = gaussian_importance_map(size).iter().map(|value| value * GAUSSIAN_MAXIMUM).collect();
    let shape: Vec<i64> = patch.iter().map(|len| *len as i64).collect();
    let half = Tensor::f_from_slice(&map)?.f_to_kind(Kind::Half)?.f_to_kind(Kind::Float)?;
    let mut values = vec![0.0_f32; map.len()];
    half.f_copy_data(&mut values, map.len())?;
    let lowest = values.iter().copied().filter(|value| *value > 0.0).fold(f32::INFINITY, f32::min);
    values.iter_mut().filter(|value| **value == 0.0).for_each(|value| *value = lowest);
    Ok(Tensor::f_from_slice(&values)?.f_reshape(&shape)?.f_to_kind(Kind::Half)?)
}

/// Mean logits over all combinations of mirrored axes, in single precision.
fn mirrored(network: &dyn Network, tile: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    mirrored_mean(network, tile, how, |logits| Ok(logits.f_to_kind(Kind::Float)?))
}
