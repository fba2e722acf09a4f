//! Tiles in rows along the first axis. Only the rows that a row of tiles covers are in memory: once the next row of
//! tiles begins below them they are final and leave. The order of additions is that of a sum over the whole volume, so
//! the result is the same to the bit.

use nnunet_plugin_api::tch::{Device, Tensor};
use nnunet_plugin_api::{Error, Network, Result};

use crate::mirror::{is_out_of_memory, mirrored};
use crate::tiles::tile_starts;
use crate::weights::weights;
use crate::window::{Sink, SlidingWindow};

/// The sliding window of one network over one image, (channels, space...), space having the patch's axes.
pub(crate) struct Bands<'a> {
    how: &'a SlidingWindow,
    padded: Tensor,
    /// Padding before each axis.
    before: Vec<usize>,
    /// The image's size.
    size: Vec<usize>,
    /// First voxels of the tiles, by axis.
    starts: Vec<Vec<usize>>,
    weights: Tensor,
    /// (classes, patch rows, rest...).
    sum: Tensor,
    /// (patch rows, rest...).
    total: Tensor,
    /// Mirror images that go through the network together.
    batch: usize,
}

impl<'a> Bands<'a> {
    pub(crate) fn new(image: &Tensor, how: &'a SlidingWindow) -> Result<Self> {
        let (padded, before) = pad(image, &how.patch)?;
        let extent = space(&padded);
        let starts: Vec<Vec<usize>> =
            extent.iter().zip(&how.patch).map(|(len, patch)| tile_starts(*len, *patch, how.step)).collect();
        let mut shape: Vec<i64> = vec![how.num_classes as i64];
        shape.extend(extent.iter().map(|len| *len as i64));
        shape[1] = how.patch[0] as i64;
        let sum = how.sums.zeros(&shape, how.scores.kind())?;
        let weights = weights(how, starts.iter().map(Vec::len).product())?;
        let (size, total, batch) = (space(image), Tensor::new(), how.batch.max(1));
        let mut bands = Self { how, padded, before, size, starts, weights, sum, total, batch };
        bands.or_in_main_memory(|bands| {
            bands.total = Tensor::f_zeros(&shape[1..], (how.scores.kind(), bands.sum.device()))?;
            bands.weights = bands.weights.f_to_device(bands.sum.device())?;
            Ok(())
        })?;
        Ok(bands)
    }

    /// Runs all tiles; finished rows go to `sink`.
    pub(crate) fn run(mut self, network: &dyn Network, sink: &mut Sink<'_>) -> Result<()> {
        let rows = self.starts[0].clone();
        let end = self.padded.size()[1] as usize;
        for (i, start) in rows.iter().enumerate() {
            for corner in corners(&self.starts[1..]) {
                self.or_in_main_memory(|bands| bands.add_tile(network, *start, &corner))?;
            }
            let next = rows.get(i + 1).copied().unwrap_or(end);
            self.hand_on(*start, next - start, sink)?;
            if next < end {
                self.move_up(next - start)?;
            }
        }
        Ok(())
    }

    fn add_tile(&mut self, network: &dyn Network, row: usize, corner: &[usize]) -> Result<()> {
        let patch = &self.how.patch;
        let tile = part(&self.padded.f_narrow(1, row as i64, patch[0] as i64)?, corner, &patch[1..], 2)?;
        let scores = mirrored(network, &tile, self.how, &mut self.batch)?;
        let mut scores = scores.f_to_device(self.sum.device())?;
        let scores = scores.f_mul_(&self.weights)?;
        let _ = part(&self.sum, corner, &patch[1..], 2)?.f_add_(&scores)?;
        let _ = part(&self.total, corner, &patch[1..], 1)?.f_add_(&self.weights)?;
        Ok(())
    }

    /// Does something; where a device has no memory for it, again with the sums in main memory.
    fn or_in_main_memory<T>(&mut self, mut action: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        match action(self) {
            Err(error) if self.sum.device() != Device::Cpu && is_out_of_memory(&error) => {
                let all = [&mut self.sum, &mut self.total, &mut self.weights];
                for tensor in all.into_iter().filter(|tensor| tensor.defined()) {
                    *tensor = tensor.f_to_device(Device::Cpu)?;
                }
                action(self)
            }
            done => done,
        }
    }

    /// Hands the first `count` rows of the band, row `start` of the padded image and on, to `sink`, without padding.
    fn hand_on(&mut self, start: usize, count: usize, sink: &mut Sink<'_>) -> Result<()> {
        let (low, high) = (self.before[0], self.before[0] + self.size[0]);
        let inside = start.max(low)..(start + count).min(high);
        for first in inside.clone().step_by(self.how.rows.max(1)) {
            let len = self.how.rows.min(inside.end - first) as i64;
            let rows = self.or_in_main_memory(|bands| bands.mean((first - start) as i64, len))?;
            sink(first - low, rows)?;
        }
        Ok(())
    }

    /// Mean scores of rows of the band, without padding.
    fn mean(&self, first: i64, len: i64) -> Result<Tensor> {
        let here = |tensor: &Tensor, axis: i64| -> Result<Tensor> {
            let rows = tensor.f_narrow(axis, first, len)?;
            part(&rows, &self.before[1..], &self.size[1..], axis + 1)
        };
        Ok(here(&self.sum, 1)?.f_div(&here(&self.total, 0)?)?)
    }

    /// Moves the band on by `count` rows.
    fn move_up(&mut self, count: usize) -> Result<()> {
        shift(&self.sum, 1, count)?;
        shift(&self.total, 0, count)
    }
}

/// Moves rows towards the start and clears the rest, in blocks that do not overlap.
fn shift(tensor: &Tensor, axis: i64, count: usize) -> Result<()> {
    let (len, count) = (tensor.size()[axis as usize], count as i64);
    for to in (0..len - count).step_by(count as usize) {
        let rows = count.min(len - count - to);
        tensor.f_narrow(axis, to, rows)?.f_copy_(&tensor.f_narrow(axis, to + count, rows)?)?;
    }
    let _ = tensor.f_narrow(axis, len - count, count)?.f_zero_()?;
    Ok(())
}

fn space(tensor: &Tensor) -> Vec<usize> {
    tensor.size()[1..].iter().map(|len| *len as usize).collect()
}

/// Zeros around an image smaller than the patch, one more at the end than at the start.
fn pad(image: &Tensor, patch: &[usize]) -> Result<(Tensor, Vec<usize>)> {
    let size = space(image);
    if size.len() != patch.len() {
        return Err(Error::shape("sliding window", format!("{} axes", patch.len()), size.len()));
    }
    let missing: Vec<usize> = size.iter().zip(patch).map(|(len, patch)| patch.saturating_sub(*len)).collect();
    let before: Vec<usize> = missing.iter().map(|missing| missing / 2).collect();
    if missing.iter().all(|missing| *missing == 0) {
        return Ok((image.shallow_clone(), before));
    }
    // libtorch counts from the last axis.
    let sides = missing.iter().zip(&before).rev().flat_map(|(all, low)| [*low as i64, (all - low) as i64]);
    Ok((image.f_constant_pad_nd(sides.collect::<Vec<_>>())?, before))
}

fn corners(starts: &[Vec<usize>]) -> Vec<Vec<usize>> {
    starts.iter().fold(vec![Vec::new()], |corners, axis| {
        corners.iter().flat_map(|corner| axis.iter().map(|at| [corner.as_slice(), &[*at]].concat())).collect()
    })
}

/// A view of a box whose first axis is `first`.
fn part(tensor: &Tensor, corner: &[usize], size: &[usize], first: i64) -> Result<Tensor> {
    let mut view = tensor.shallow_clone();
    for (axis, (at, len)) in (first..).zip(corner.iter().zip(size)) {
        view = view.f_narrow(axis, *at as i64, *len as i64)?;
    }
    Ok(view)
}
