//! Scores that are resampled by splines, on the device where they are: the whole volume of the network's grid is kept there,
//! and the cropped case's grid is computed slab by slab. The values are those of [`ExportResampler::whole`] to the bit.

use nnunet_export::ExportResampler;
use nnunet_numerics::{AxisPass, Passes};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

use crate::mirror::is_out_of_memory;
use crate::tensor_passes::{Bounds, along_axis, combined, filter};
use crate::tensor_slabs::{SLAB, TensorSlab};

/// Collects the rows of a case, then resamples them.
///
/// The first pass has one axis, along which a slab of its outputs follows from the filtered volume; the other passes have other
/// axes and take the slab alone. So no array has the size of all classes on the cropped grid.
#[derive(Debug)]
pub struct TensorVolume {
    grids: ExportResampler,
    first: AxisPass,
    rest: Vec<AxisPass>,
    passes: Passes,
    /// Scores in single precision. The axis of the first pass comes first, continued at both ends; then classes, then the
    /// case's other axes.
    lines: Tensor,
    /// What the filter must not see: the range of the scores, from the moment when they are filtered.
    bounds: Option<Bounds>,
}

impl TensorVolume {
    /// Without rows yet.
    ///
    /// # Errors
    /// Returns an error if the device has no memory for it, or if both grids are the same.
    pub fn new(grids: ExportResampler, classes: usize, device: Device) -> Result<Self> {
        let passes = Passes::new(grids.untransposed(), grids.cropped, grids.how);
        let (first, rest) =
            passes.all.split_first().ok_or_else(|| Error::message("both grids are the same"))?;
        let (first, rest) = (first.clone(), rest.to_vec());
        let mut shape = vec![classes as i64];
        shape.extend(grids.untransposed().map(|len| len as i64));
        let continued = shape.remove(first.axis + 1) + 2 * first.padding as i64;
        shape.insert(0, continued);
        let lines = Tensor::f_zeros(shape, (Kind::Float, device))?;
        Ok(Self { grids, first, rest, passes, lines, bounds: None })
    }

    /// Most bytes that the scores of a grid take.
    #[must_use]
    pub fn bytes(classes: usize, grid: [usize; 3]) -> u64 {
        let rows = |axis: usize| grid[axis] + 2 * nnunet_numerics::EDGE_PADDING;
        let largest =
            (0..3).map(|axis| rows(axis) * grid.iter().product::<usize>() / grid[axis].max(1)).max();
        (4 * classes * largest.unwrap_or(0)) as u64
    }

    /// Rows of the network's grid, (classes, n, y, x) in its order, the first of this index.
    ///
    /// # Errors
    /// Returns an error if the rows have another size than the grid.
    pub fn put(&self, first: usize, rows: &Tensor) -> Result<()> {
        let back = self.grids.transpose_backward.map(|axis| axis as i64 + 1);
        let rows = rows.f_permute([0, back[0], back[1], back[2]])?;
        let axis = self.grids.axis() as i64 + 1;
        let count = rows.size()[axis as usize];
        self.scores()?.f_narrow(axis, first as i64, count)?.f_copy_(&rows)?;
        Ok(())
    }

    /// The rows of the cropped grid, slab by slab. Where the device has no memory for it, the work goes on in main memory;
    /// `sink` may then get the same rows again.
    ///
    /// # Errors
    /// Returns what `sink` returns, or an error of libtorch.
    pub fn finish(mut self, sink: &mut dyn FnMut(TensorSlab) -> Result<()>) -> Result<()> {
        match self.slabs(sink) {
            Err(error) if self.lines.device() != Device::Cpu && is_out_of_memory(&error) => {
                self.lines = self.lines.f_to_device(Device::Cpu)?;
                self.bounds = self.bounds.as_ref().map(Bounds::to_main_memory).transpose()?;
                self.slabs(sink)
            }
            done => done,
        }
    }

    fn slabs(&mut self, sink: &mut dyn FnMut(TensorSlab) -> Result<()>) -> Result<()> {
        if self.bounds.is_none() {
            let bounds = Bounds::of(&self.scores()?, self.passes.clip.as_ref())?;
            self.filter()?;
            self.bounds = Some(bounds);
        }
        let (axis, rows) = (self.first.axis, self.first.outputs());
        let together = self.rows_together();
        for first in (0..rows).step_by(together) {
            let part = self.first.only(first..rows.min(first + together));
            sink(TensorSlab { axis, first, scores: self.slab(&part)? })?;
        }
        Ok(())
    }

    /// Outputs of the first pass, and of the others after it.
    fn slab(&self, part: &AxisPass) -> Result<Tensor> {
        let clipped = |done: usize, scores: Tensor| match &self.bounds {
            Some(bounds) => bounds.clipped(done, scores),
            None => Ok(scores),
        };
        let axis = self.first.axis as i64 + 1;
        let scores = combined(&self.lines, 0, part)?.f_movedim_int(0, axis)?;
        let first = clipped(1, scores)?;
        self.rest
            .iter()
            .enumerate()
            .try_fold(first, |scores, (i, pass)| clipped(i + 2, along_axis(&scores, pass)?))
    }

    fn filter(&self) -> Result<()> {
        let padding = self.first.padding as i64;
        if padding == 0 {
            return Ok(());
        }
        let end = self.lines.size()[0] - padding;
        for (edge, outside) in [(padding, 0), (end - 1, end)] {
            let edge = self.lines.f_narrow(0, edge, 1)?;
            self.lines.f_narrow(0, outside, padding)?.f_copy_(&edge)?;
        }
        filter(&self.lines)
    }

    /// A view of the scores, (classes, z, y, x) of the case.
    fn scores(&self) -> Result<Tensor> {
        let padding = self.first.padding as i64;
        let inside = self.lines.f_narrow(0, padding, self.lines.size()[0] - 2 * padding)?;
        Ok(inside.f_movedim_int(0, self.first.axis as i64 + 1)?)
    }

    /// Outputs of the first pass that are computed together.
    fn rows_together(&self) -> usize {
        let longest = |pass: &AxisPass, from: usize| pass.outputs().max(from + 2 * pass.padding);
        let mut plane = self.grids.untransposed();
        plane[self.first.axis] = 1;
        self.rest.iter().for_each(|pass| plane[pass.axis] = longest(pass, plane[pass.axis]));
        let classes = self.lines.size()[1] as usize;
        (SLAB / (4 * classes * plane.iter().product::<usize>()).max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Axis;
    use nnunet_numerics::Resampling;

    use super::*;
    use crate::from_tensor;

    #[test]
    fn tensors_are_resampled_as_arrays_are() {
        let network = [9, 7, 8];
        let scores = Tensor::rand([3, 9, 7, 8], (Kind::Float, Device::Cpu));
        let ways = [(None, 3, 0), (Some(0), 3, 0), (Some(1), 3, 1), (Some(2), 3, 3), (Some(1), 1, 3)];
        for (separate, order, order_z) in ways {
            for back in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
                let case = back.map(|axis| network[axis]);
                for cropped in [[13, 5, 8], [4, 11, 17], [case[0], case[1], 21], [11, case[1], case[2]]] {
                    let how = Resampling { order, order_z, separate };
                    let grids = ExportResampler { transpose_backward: back, network, cropped, how };
                    let volume = TensorVolume::new(grids, 3, Device::Cpu).unwrap();
                    for first in [0, 4, 8] {
                        volume.put(first, &scores.narrow(1, first as i64, 4.min(9 - first as i64))).unwrap();
                    }
                    let (mut found, mut axis) = (Vec::new(), 0);
                    volume
                        .finish(&mut |slab| {
                            axis = slab.axis;
                            found.push(from_tensor(&slab.scores).unwrap());
                            Ok(())
                        })
                        .unwrap();
                    let views: Vec<_> = found.iter().map(|slab| slab.view()).collect();
                    let found = ndarray::concatenate(Axis(axis + 1), &views).unwrap();
                    for (class, found) in from_tensor(&scores).unwrap().outer_iter().zip(found.outer_iter()) {
                        assert_eq!(found, grids.whole(class), "{grids:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_bytes_of_a_grid_include_its_continuation() {
        assert_eq!(TensorVolume::bytes(2, [10, 20, 30]), 4 * 2 * 34 * 20 * 30);
    }
}
