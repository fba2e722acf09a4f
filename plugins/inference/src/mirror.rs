//! A tile and its mirror images.

use nnunet_plugin_api::tch::{Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Network, Result};

use crate::window::{Scores, SlidingWindow};

/// Mean score of a tile over all combinations of mirrored axes.
///
/// # Shapes
/// (channels, patch...) to (classes, patch...), on the network's device, in single precision.
///
/// `batch` is the number of mirror images that go through the network together; it is halved, for the tiles to come
/// too, while the device has no memory for so many.
pub(crate) fn mirrored(
    network: &dyn Network,
    tile: &Tensor,
    how: &SlidingWindow,
    batch: &mut usize,
) -> Result<Tensor> {
    let tile = tile.f_unsqueeze(0)?.f_to_device(how.device)?.f_to_kind(how.kind)?;
    loop {
        match sum(network, &tile, how, *batch) {
            Err(error) if is_out_of_memory(&error) && *batch > 1 => *batch /= 2,
            sum => return Ok((sum? / variants(how).len() as f64).f_squeeze_dim(0)?),
        }
    }
}

/// Whether an allocation failed, on a GPU or on the CPU.
#[must_use]
pub fn is_out_of_memory(error: &impl std::fmt::Display) -> bool {
    let text = format!("{error:#}");
    ["out of memory", "can't allocate memory"].iter().any(|words| text.contains(words))
}

/// Runs the network on a tile of zeros and on its mirror image, one after the other: to find how much memory that
/// takes.
///
/// # Errors
/// Returns the error of the network.
pub fn try_tile(network: &dyn Network, channels: usize, how: &SlidingWindow) -> Result<()> {
    let mut shape = vec![channels as i64];
    shape.extend(how.patch.iter().map(|len| *len as i64));
    let how = SlidingWindow { mirror_axes: how.mirror_axes.iter().copied().take(1).collect(), ..how.clone() };
    let tile = Tensor::f_zeros(&shape, (Kind::Float, how.device))?;
    mirrored(network, &tile, &how, &mut 1).map(|_| ())
}

/// Axes of the tile to flip, in v1's order: none, the first, the second, both, and so on.
fn variants(how: &SlidingWindow) -> Vec<Vec<i64>> {
    let axes = |variant: usize| {
        let chosen = how.mirror_axes.iter().enumerate().filter(move |(i, _)| variant >> i & 1 == 1);
        chosen.map(|(_, axis)| *axis as i64 + 2).collect()
    };
    (0..1 << how.mirror_axes.len()).map(axes).collect()
}

fn sum(network: &dyn Network, tile: &Tensor, how: &SlidingWindow, batch: usize) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for group in variants(how).chunks(batch.max(1)) {
        let copies = group.iter().map(|axes| Ok(tile.f_flip(axes)?)).collect::<Result<Vec<_>>>()?;
        let logits = no_grad(|| network.forward(&Tensor::f_cat(&copies, 0)?, false))?;
        let logits = logits.first().ok_or_else(|| Error::message("the network gave no output"))?;
        let scores = score(logits, how)?;
        for (i, axes) in group.iter().enumerate() {
            let scores = scores.f_narrow(0, i as i64, 1)?.f_flip(axes)?;
            sum = Some(match sum {
                Some(mut sum) => sum.f_add_(&scores)?,
                None => scores,
            });
        }
    }
    sum.ok_or_else(|| Error::message("no tile was predicted"))
}

fn score(logits: &Tensor, how: &SlidingWindow) -> Result<Tensor> {
    if let Some(head) = &how.head {
        return head.scores(logits);
    }
    Ok(match how.scores {
        // libtorch's CPU kernels cannot widen float16 in a softmax.
        Scores::Softmax => logits.f_to_kind(Kind::Float)?.f_softmax(1, Kind::Float)?,
        Scores::Sigmoid => logits.f_to_kind(Kind::Float)?.f_sigmoid()?,
        Scores::Logits => logits.f_to_kind(Kind::Float)?,
    })
}
