//! From scores on the network's grid to scores on the cropped case's, slab by slab, on the device where they are. The values
//! are those of [`nnunet_export::SlabResampler`] to the bit, since every rounding is the same.

use std::ops::Range;

use nnunet_export::{ExportResampler, SlabProgress};
use nnunet_numerics::{AxisPass, PassRule};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

use crate::mirror::is_out_of_memory;

/// Scores that are resampled together should not take more bytes.
const SLAB: usize = 64 << 20;

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
    /// Returns `None` where splines take part: those are computed in main memory.
    #[must_use]
    pub fn new(grids: ExportResampler) -> Option<Self> {
        let progress = SlabProgress::new(grids)?;
        let has_passes = progress.resampling().is_none_or(|resampling| resampling.passes(0..1).is_some());
        has_passes.then_some(Self { progress, window: None })
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
        let passes = resampling
            .passes(outputs.clone())
            .ok_or_else(|| Error::message("splines are not computed slab by slab"))?;
        let mut scores = part(&resampling.needs(outputs))?;
        for pass in passes {
            scores = along_axis(&scores, &pass)?;
        }
        Ok(scores)
    }
}

/// One pass over scores, (classes, z, y, x).
fn along_axis(scores: &Tensor, pass: &AxisPass) -> Result<Tensor> {
    let axis = pass.axis as i64 + 1;
    let samples = |at: &[i64]| -> Result<Tensor> {
        Ok(scores.f_index_select(axis, &Tensor::f_from_slice(at)?.f_to_device(scores.device())?)?)
    };
    let weights = |weights: &[f64], kind: Kind| -> Result<Tensor> {
        let mut shape = [1; 4];
        shape[pass.axis + 1] = weights.len() as i64;
        Ok(Tensor::f_from_slice(weights)?.f_to_kind(kind)?.f_to_device(scores.device())?.f_reshape(shape)?)
    };
    let a = samples(&pass.first)?;
    match pass.rule {
        PassRule::Nearest => Ok(a),
        PassRule::Linear => {
            let mut step = samples(&pass.second)?.f_sub_(&a)?;
            Ok(step.f_mul_(&weights(&pass.weights[1], Kind::Float)?)?.f_add_(&a)?)
        }
        PassRule::Weighted => {
            let [v, w] = [0, 1].map(|k| weights(&pass.weights[k], Kind::Double));
            let b = samples(&pass.second)?.f_to_kind(Kind::Double)?.f_mul_(&w?)?;
            Ok(a.f_to_kind(Kind::Double)?.f_mul_(&v?)?.f_add_(&b)?.f_to_kind(Kind::Float)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use nnunet_export::SlabResampler;
    use nnunet_numerics::Resampling;

    use super::*;
    use crate::from_tensor;

    fn grids(
        separate: Option<usize>,
        order_z: u32,
        back: [usize; 3],
        cropped: [usize; 3],
    ) -> ExportResampler {
        let how = Resampling { order: 1, order_z, separate };
        ExportResampler { transpose_backward: back, network: [9, 7, 8], cropped, how }
    }

    #[test]
    fn tensors_are_resampled_as_arrays_are() {
        let scores = Tensor::rand([3, 9, 7, 8], (Kind::Float, Device::Cpu));
        for (separate, order_z) in [(None, 0), (Some(0), 0), (Some(1), 1), (Some(2), 0)] {
            for back in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
                let same = back.map(|axis| [9, 7, 8][axis]);
                for cropped in [[13, 5, 8], [4, 11, 17], same] {
                    let grids = grids(separate, order_z, back, cropped);
                    let mut ours = TensorSlabs::new(grids).unwrap();
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

    #[test]
    fn splines_are_left_to_main_memory() {
        let how = Resampling { order: 3, order_z: 0, separate: Some(0) };
        let grids = ExportResampler { how, ..grids(None, 0, [0, 1, 2], [13, 5, 8]) };
        assert!(TensorSlabs::new(grids).is_none() && SlabResampler::new(grids).is_some());
    }
}
