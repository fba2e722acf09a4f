//! Rows of scores, as they come from the network, to a label map on disk.

mod probabilities;

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array3, Axis};
use nnunet_data::records;
use nnunet_inference::{
    ExportResampler, SegmentationHeads, Slab, SlabResampler, Storage, from_tensor, labels_to_cropped_grid,
    to_tensor,
};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::CaseProperties;

use self::probabilities::Probabilities;
use crate::case::{Case, ResampledData};
use crate::family::CaseExport;

/// Turns a case's scores into its label map. Rows come in order; only those that are still needed are kept.
pub(crate) struct Export<'a> {
    processing: &'a dyn CaseExport,
    resampler: ExportResampler,
    route: Route,
    /// Labels of the cropped case.
    labels: Array3<u16>,
    probabilities: Option<Probabilities>,
}

enum Route {
    /// Scores are resampled slab by slab.
    Slabs(Box<SlabResampler>),
    /// Scores are resampled class by class, because splines need the whole: kept in `sums` until all rows are there.
    Classes { sums: Tensor, storage: Storage },
    /// Labels of the network's grid are resampled, by linear weights or by nearest neighbor.
    Labels { labels: Array3<u16>, nearest: bool },
}

impl<'a> Export<'a> {
    /// `storage`: where whole scores are kept if there is no other way. `folder`: for temporary files.
    pub(crate) fn new(
        processing: &'a dyn CaseExport,
        resampler: ExportResampler,
        properties: &CaseProperties,
        storage: &Storage,
        folder: &Path,
    ) -> Result<Self> {
        let head = processing.output_head();
        let route = match (processing.resampled_data(), SlabResampler::new(resampler)) {
            (ResampledData::Labels { nearest }, _) => {
                Route::Labels { labels: Array3::zeros(resampler.network), nearest }
            }
            (ResampledData::Scores, Some(slabs)) => Route::Slabs(Box::new(slabs)),
            (ResampledData::Scores, None) => Route::Classes {
                sums: storage.zeros(&shape(head.count(), resampler.network), Kind::Float)?,
                storage: storage.clone(),
            },
        };
        let probabilities = processing
            .probability_format()
            .map(|format| Probabilities::new(folder, format, head, properties));
        let labels = Array3::zeros(resampler.cropped);
        Ok(Self { processing, resampler, route, labels, probabilities: probabilities.transpose()? })
    }

    /// The next rows, (classes, n, y, x) in the network's order; `first` is the first one's index.
    pub(crate) fn push(&mut self, first: usize, rows: &Tensor) -> Result<()> {
        let count = rows.size()[1] as usize;
        ensure_finite(rows)?;
        if self.reduces_on_device(rows) {
            return self.put_labels(first, &labels_on_device(rows)?);
        }
        match &mut self.route {
            Route::Slabs(slabs) => {
                if let Some(slab) = slabs.push(from_tensor(rows)?)? {
                    self.reduce(slab)?;
                }
            }
            Route::Classes { sums, .. } => {
                sums.f_narrow(1, first as i64, count as i64)?.f_copy_(rows)?;
            }
            Route::Labels { labels, .. } => {
                let found = self.processing.output_head().labels(from_tensor(rows)?.view());
                labels.slice_axis_mut(Axis(0), (first..first + count).into()).assign(&found);
            }
        }
        Ok(())
    }

    /// Whether rows on a GPU can become labels there: they are not resampled, and scores are only compared. The label
    /// maps then are all that leaves the GPU.
    fn reduces_on_device(&self, rows: &Tensor) -> bool {
        rows.device() != Device::Cpu
            && matches!(self.route, Route::Slabs(_))
            && matches!(self.processing.output_head(), SegmentationHeads::Labels(_))
            && self.probabilities.is_none()
            && !self.resampler.resamples()
    }

    /// Labels of rows, (n, y, x) in the network's order.
    fn put_labels(&mut self, first: usize, labels: &Array3<u16>) -> Result<()> {
        let rows = first..first + labels.shape()[0];
        let labels = labels.view().permuted_axes(self.resampler.transpose_backward);
        self.labels.slice_axis_mut(Axis(self.resampler.axis()), rows.into()).assign(&labels);
        Ok(())
    }

    fn reduce(&mut self, mut slab: Slab) -> Result<()> {
        self.processing.finish_scores(&mut slab.scores, self.resampler.resamples());
        let labels: Array3<u16> = self.processing.output_head().labels(slab.scores.view());
        let rows = slab.first..slab.first + labels.shape()[slab.axis];
        self.labels.slice_axis_mut(Axis(slab.axis), rows.into()).assign(&labels);
        self.probabilities.as_mut().map_or(Ok(()), |kept| kept.put(&slab))
    }

    /// Writes the label map, and probabilities where they are wanted.
    pub(crate) fn finish(mut self, properties: &CaseProperties, case: &Case) -> Result<()> {
        self.close()?;
        if let Some(kept) = self.probabilities.take() {
            kept.save(&case.beside(".npz"))?;
            records::save(&case.beside(".pkl"), &self.processing.probability_properties(properties)?)?;
        }
        self.processing.write_labels(self.labels, properties, &case.output)
    }

    /// Resampling that needs all rows.
    fn close(&mut self) -> Result<()> {
        match &self.route {
            Route::Slabs(_) => Ok(()),
            Route::Labels { labels, nearest } => {
                self.labels = labels_to_cropped_grid(labels.view(), &self.resampler, *nearest);
                Ok(())
            }
            Route::Classes { sums, storage } => {
                let resampled = class_by_class(&self.resampler, sums, storage)?;
                let size = self.resampler.cropped;
                (0..size[0]).step_by(ROWS).try_for_each(|first| {
                    let rows = resampled.f_narrow(1, first as i64, ROWS.min(size[0] - first) as i64)?;
                    self.reduce(Slab { axis: 0, first, scores: from_tensor(&rows)? })
                })
            }
        }
    }
}

/// The class with the highest score of every voxel, the first one on ties.
fn labels_on_device(rows: &Tensor) -> Result<Array3<u16>> {
    // Shorts lie in memory as unsigned ones do; only as many bytes leave the GPU.
    let labels = rows.f_argmax(0, false)?.f_to_kind(Kind::Int16)?.f_to_device(Device::Cpu)?;
    let size = labels.size();
    let [z, y, x] = std::array::from_fn(|axis| size.get(axis).map_or(0, |len| *len as usize));
    let labels: Vec<i16> = Vec::try_from(labels.f_reshape([-1])?)?;
    Ok(Array3::from_shape_vec((z, y, x), labels.into_iter().map(i16::cast_unsigned).collect())?)
}

/// Scores that are not finite would silently become background.
fn ensure_finite(rows: &Tensor) -> Result<()> {
    // A sum needs no memory, and is not finite if one of its terms is not.
    let sum = f64::try_from(rows.f_sum(Kind::Float)?)?;
    ensure!(
        sum.is_finite(),
        "the network's scores are not finite (NaN or infinite); look for such values in the images, or for a checkpoint \
         whose training diverged"
    );
    Ok(())
}

/// Rows that become labels together after resampling by classes.
const ROWS: usize = 8;

/// (classes, z, y, x) of the network's grid to the cropped grid.
fn class_by_class(way: &ExportResampler, sums: &Tensor, storage: &Storage) -> Result<Tensor> {
    let classes = sums.size()[0];
    let resampled = storage.zeros(&shape(classes as usize, way.cropped), Kind::Float)?;
    for class in 0..classes {
        let scores = from_tensor(&sums.f_narrow(0, class, 1)?)?;
        let whole = way.whole(scores.index_axis(Axis(0), 0)).insert_axis(Axis(0));
        resampled.f_narrow(0, class, 1)?.f_copy_(&to_tensor(whole.view())?)?;
    }
    Ok(resampled)
}

fn shape(classes: usize, [z, y, x]: [usize; 3]) -> [i64; 4] {
    [classes, z, y, x].map(|len| len as i64)
}
