//! The sliding window: tiles overlap, are mirrored, weighted and averaged.

use ndarray::{Array4, ArrayView4};
use nnunet_numerics::gaussian_importance_map;
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Network, Result};

use crate::tiles::tile_starts;

/// How to predict.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// Network input, 2 or 3 axes.
    pub patch: Vec<usize>,
    /// Output channels.
    pub num_classes: usize,
    /// Whether outputs are regions that may overlap, each with a sigmoid of its own, instead of classes.
    pub regions: bool,
    /// Step as a share of the patch, in (0, 1].
    pub step: f64,
    /// Mirrored axes of the patch; empty for no mirroring.
    pub mirror_axes: Vec<usize>,
    /// Number format of the network's input.
    pub kind: Kind,
    /// Where the network is.
    pub device: Device,
}

/// Class probabilities of a preprocessed image.
///
/// # Shapes
/// `image` is (channels, z, y, x); the result is (classes, z, y, x). A 2D network sees slice by slice.
///
/// # Errors
/// What the network returns; a step outside (0, 1].
pub fn predict(
    network: &dyn Network,
    image: ArrayView4<'_, f32>,
    how: &SlidingWindow,
) -> Result<Array4<f32>> {
    if !(how.step > 0.0 && how.step <= 1.0) {
        return Err(Error::parameter("step_size", "must be larger than 0 and at most 1"));
    }
    let image = to_tensor(image)?;
    let probabilities = if how.patch.len() == 3 {
        window(network, &image, how)?
    } else {
        let slices = (0..image.size()[1]).map(|z| window(network, &image.f_select(1, z)?, how));
        Tensor::f_stack(&slices.collect::<Result<Vec<_>>>()?, 1)?
    };
    from_tensor(&probabilities)
}

/// (channels, space...) to (classes, space...), space having the patch's axes.
fn window(network: &dyn Network, image: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    let (padded, before) = pad(image, &how.patch)?;
    let size: Vec<usize> = padded.size()[1..].iter().map(|len| *len as usize).collect();
    let starts: Vec<Vec<usize>> =
        size.iter().zip(&how.patch).map(|(len, patch)| tile_starts(*len, *patch, how.step)).collect();
    let corners = corners(&starts);
    let importance = importance(how, corners.len())?;
    let mut shape = vec![how.num_classes as i64];
    shape.extend(&padded.size()[1..]);
    let mut sum = Tensor::f_zeros(&shape, (Kind::Float, Device::Cpu))?;
    let weight = Tensor::f_zeros(&shape[1..], (Kind::Float, Device::Cpu))?;
    for corner in corners {
        let tile = part(&padded, &corner, &how.patch, 1)?;
        let probabilities = mirrored(network, &tile, how)?.f_mul(&importance)?;
        let _ = part(&sum, &corner, &how.patch, 1)?.f_add_(&probabilities)?;
        let _ = part(&weight, &corner, &how.patch, 0)?.f_add_(&importance)?;
    }
    let mean = sum.f_div_(&weight)?;
    let original: Vec<usize> = image.size()[1..].iter().map(|len| *len as usize).collect();
    part(&mean, &before, &original, 1)
}

/// Zeros around an image smaller than the patch, one more at the end than at the start.
pub(crate) fn pad(image: &Tensor, patch: &[usize]) -> Result<(Tensor, Vec<usize>)> {
    let size = image.size();
    let missing = size[1..].iter().zip(patch).map(|(len, patch)| patch.saturating_sub(*len as usize));
    let missing: Vec<usize> = missing.collect();
    let before: Vec<usize> = missing.iter().map(|missing| missing / 2).collect();
    // libtorch counts from the last axis.
    let sides = missing.iter().zip(&before).rev().flat_map(|(all, low)| [*low as i64, (all - low) as i64]);
    let sides: Vec<i64> = sides.collect();
    Ok((image.f_constant_pad_nd(sides)?, before))
}

pub(crate) fn corners(starts: &[Vec<usize>]) -> Vec<Vec<usize>> {
    starts.iter().fold(vec![Vec::new()], |corners, axis| {
        corners.iter().flat_map(|corner| axis.iter().map(|at| [corner.as_slice(), &[*at]].concat())).collect()
    })
}

/// Weights of a tile's voxels; all one when there is a single tile, as in v1.
fn importance(how: &SlidingWindow, tiles: usize) -> Result<Tensor> {
    let shape: Vec<i64> = how.patch.iter().map(|len| *len as i64).collect();
    if tiles == 1 {
        return Ok(Tensor::f_ones(&shape, (Kind::Float, Device::Cpu))?);
    }
    let mut patch = [1; 3];
    patch[3 - how.patch.len()..].copy_from_slice(&how.patch);
    let values: Vec<f32> = gaussian_importance_map(patch).iter().copied().collect();
    Ok(Tensor::f_from_slice(&values)?.f_reshape(&shape)?)
}

/// A view of a box whose first spatial axis is `first`.
pub(crate) fn part(tensor: &Tensor, corner: &[usize], size: &[usize], first: i64) -> Result<Tensor> {
    let mut view = tensor.shallow_clone();
    for (axis, (at, len)) in (first..).zip(corner.iter().zip(size)) {
        view = view.f_narrow(axis, *at as i64, *len as i64)?;
    }
    Ok(view)
}

/// Mean of the probabilities over all combinations of mirrored axes.
fn mirrored(network: &dyn Network, tile: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    mirrored_mean(network, tile, how, |logits| {
        Ok(if how.regions {
            logits.f_to_kind(Kind::Float)?.f_sigmoid()?
        } else {
            logits.f_softmax(1, Kind::Float)?
        })
    })
}

/// Mean of what `score` makes of the logits, over all combinations of mirrored axes.
pub(crate) fn mirrored_mean(
    network: &dyn Network,
    tile: &Tensor,
    how: &SlidingWindow,
    score: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let tile = tile.f_unsqueeze(0)?.f_to_device(how.device)?.f_to_kind(how.kind)?;
    let variants = 1_usize << how.mirror_axes.len();
    let mut sum: Option<Tensor> = None;
    for variant in 0..variants {
        let chosen = how.mirror_axes.iter().enumerate().filter(|(i, _)| variant >> i & 1 == 1);
        let axes: Vec<i64> = chosen.map(|(_, axis)| *axis as i64 + 2).collect();
        let logits = no_grad(|| network.forward(&tile.f_flip(&axes)?, false))?;
        let logits = logits.first().ok_or_else(|| Error::message("the network gave no output"))?;
        let scores = score(logits)?.f_flip(&axes)?;
        sum = Some(match sum {
            Some(sum) => sum.f_add(&scores)?,
            None => scores,
        });
    }
    let sum = sum.ok_or_else(|| Error::message("no tile was predicted"))?;
    Ok((sum / variants as f64).f_squeeze_dim(0)?.f_to_device(Device::Cpu)?)
}

/// A tensor with an array's values.
///
/// # Errors
/// What libtorch says.
pub fn to_tensor(array: ArrayView4<'_, f32>) -> Result<Tensor> {
    let shape: Vec<i64> = array.shape().iter().map(|len| *len as i64).collect();
    let array = array.as_standard_layout();
    Ok(Tensor::f_from_slice(array.as_slice().unwrap_or_default())?.f_reshape(&shape)?)
}

/// An array with the values of a tensor of four axes.
///
/// # Errors
/// A tensor of another number of axes.
pub fn from_tensor(tensor: &Tensor) -> Result<Array4<f32>> {
    let shape: Vec<usize> = tensor.size().iter().map(|len| *len as usize).collect();
    let flat = tensor.f_contiguous()?.f_reshape([-1])?.f_to_kind(Kind::Float)?;
    let mut values = vec![0.0_f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    let [c, z, y, x] = shape[..] else {
        return Err(Error::shape("array", "four axes", format!("{shape:?}")));
    };
    Array4::from_shape_vec((c, z, y, x), values).map_err(|error| Error::message(error.to_string()))
}
