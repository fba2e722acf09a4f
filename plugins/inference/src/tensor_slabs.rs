//! From scores on the network's grid to scores on the cropped case's, slab by slab, on the device where they are. The values
//! are those of [`nnunet_export::SlabResampler`] to the bit, since every rounding is the same.

use std::ops::Range;

use nnunet_export::{ExportResampler, SlabProgress};
use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

use crate::mirror::is_out_of_memory;
use crate::tensor_passes::resampled;

/// Scores that are resampled together should not take more bytes.
pub(crate) const SLAB: usize = 64 << 20;

/// Rows of scores on the cropped grid, of which the axis of the case that is `axis` begins at row `first`.
#[derive(Debug)]
pub struct TensorSlab {
    /// The case's axis along which rows arrive.
    pub axis: usize,
    /// Index of the first row.
    pub first: usize,
    /// Scores, (classes, z, y, x), in single precision.
    pub scores: Tensor,
}

/// Brings rows to the cropped grid as they arrive.
#[derive(Debug)]
pub struct TensorSlabs {
    progress: SlabProgress,
    /// Rows that are still needed, in the case's order.
    window: Option<Tensor>,
}

impl TensorSlabs {
    /// Returns `None` where every slab depends on the whole volume: see [`TensorVolume`](crate::TensorVolume).
    #[must_use]
    pub fn new(grids: ExportResampler) -> Option<Self> {
        Some(Self { progress: SlabProgress::new(grids)?, window: None })
    }

    /// The next rows of the network's grid, (classes, n, y, x) in its order; `sink` gets what has become known. Where a device
    /// has no memory for it, the work goes on in main memory; `sink` may then get the same rows again.
    ///
    /// # Errors
    /// Rows of another size than the ones before; what `sink` returns.
    pub fn push(&mut self, rows: &Tensor, sink: &mut dyn FnMut(TensorSlab) -> Result<()>) -> Result<()> {
        match self.push_on(rows, rows.device(), sink) {
            Err(error) if rows.device() != Device::Cpu && is_out_of_memory(&error) => {
                self.push_on(rows, Device::Cpu, sink)
            }
            done => done,
        }
    }

    fn push_on(
        &mut self,
        rows: &Tensor,
        device: Device,
        sink: &mut dyn FnMut(TensorSlab) -> Result<()>,
    ) -> Result<()> {
        let back = self.progress.grids().transpose_backward.map(|axis| axis as i64 + 1);
        let rows = rows.f_to_device(device)?.f_permute([0, back[0], back[1], back[2]])?;
        let axis = self.progress.axis();
        let window = match &self.window {
            None => rows,
            Some(window) => Tensor::f_cat(&[&window.f_to_device(device)?, &rows], axis as i64 + 1)?,
        };
        let kept = window.size()[axis + 1] as usize;
        let ready = self.progress.ready(kept);
        let together = self.rows_together(window.size()[0] as usize);
        for first in ready.clone().step_by(together) {
            let outputs = first..ready.end.min(first + together);
            sink(TensorSlab { axis, first, scores: self.rows(&window, outputs)? })?;
        }
        let dropped = self.progress.finish(&ready, kept);
        // A copy, so that the rows that are not needed any more are freed.
        self.window = match dropped {
            Some(dropped) => {
                let rest = window.f_narrow(axis as i64 + 1, dropped as i64, (kept - dropped) as i64)?;
                Some(rest.f_to_device_(device, rest.kind(), false, true)?)
            }
            None => None,
        };
        Ok(())
    }

    /// Rows of the cropped case that are computed together.
    fn rows_together(&self, classes: usize) -> usize {
        let mut plane = self.progress.grids().cropped;
        plane[self.progress.axis()] = 1;
        (SLAB / (4 * classes * plane.iter().product::<usize>()).max(1)).max(1)
    }

    fn rows(&self, window: &Tensor, outputs: Range<usize>) -> Result<Tensor> {
        let axis = self.progress.axis() as i64 + 1;
        let first = self.progress.first();
        let part = |used: &Range<usize>| -> Result<Tensor> {
            Ok(window
                .f_narrow(axis, (used.start - first) as i64, used.len() as i64)?
                .f_to_kind(Kind::Float)?)
        };
        let Some(resampling) = self.progress.resampling() else { return part(&outputs) };
        resampled(&part(&resampling.needs(outputs.clone()))?, &resampling.passes(outputs))
    }
}

#[cfg(test)]
mod tests {
    use nnunet_export::SlabResampler;
    use nnunet_numerics::Resampling;

    use super::*;
    use crate::from_tensor;

    #[test]
    fn tensors_are_resampled_as_arrays_are() {
        let scores = Tensor::rand([3, 9, 7, 8], (Kind::Float, Device::Cpu));
        let ways = [
            (None, 1, 0),
            (Some(0), 1, 0),
            (Some(1), 1, 1),
            (Some(2), 1, 0),
            (Some(0), 3, 0),
            (Some(0), 3, 1),
        ];
        for (separate, order, order_z) in ways {
            for back in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
                let network = [9, 7, 8];
                let same = back.map(|axis| network[axis]);
                for cropped in [[13, 5, 8], [4, 11, 17], same] {
                    let how = Resampling { order, order_z, separate };
                    let grids = ExportResampler { transpose_backward: back, network, cropped, how };
                    let Some(mut ours) = TensorSlabs::new(grids) else {
                        // Splines along the axis of the rows.
                        assert!(order > 1 && back[0] != 0 && SlabResampler::new(grids).is_none());
                        continue;
                    };
                    let mut theirs = SlabResampler::new(grids).unwrap();
                    for first in [0, 4, 8] {
                        let rows = scores.narrow(1, first, 4.min(9 - first));
                        let mut found = Vec::new();
                        ours.push(&rows, &mut |slab| {
                            found.push(slab);
                            Ok(())
                        })
                        .unwrap();
                        let expected = theirs.push(from_tensor(&rows).unwrap()).unwrap();
                        assert_eq!(found.len(), usize::from(expected.is_some()));
                        for (found, expected) in found.iter().zip(&expected) {
                            assert_eq!((found.axis, found.first), (expected.axis, expected.first));
                            assert_eq!(from_tensor(&found.scores).unwrap(), expected.scores, "{grids:?}");
                        }
                    }
                }
            }
        }
    }
}
