//! Rows of scores, as they come from the network, to a label map on disk.

mod device_labels;
mod probabilities;

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array3, ArrayView3, Axis};
use nnunet_data::records;
use nnunet_inference::{
    ExportResampler, Slab, SlabResampler, Storage, TensorSlabs, from_tensor, labels_to_cropped_grid,
    to_tensor,
};
use nnunet_plugin_api::Error as ComponentError;
use nnunet_plugin_api::tch::{Device, Kind, Tensor};
use nnunet_plugin_api::vocabulary::CaseProperties;

use self::device_labels::labels_of;
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
    /// The first rows have arrived.
    has_rows: bool,
}

enum Route {
    /// Scores are resampled slab by slab.
    Slabs(Box<SlabResampler>),
    /// As above, on the GPU where they come from. Only labels leave it.
    DeviceSlabs(Box<TensorSlabs>),
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
        let slabs = SlabResampler::new(resampler).filter(|_| !processing.resamples_by_component());
        let route = match (processing.resampled_data(), slabs) {
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
        let probabilities = probabilities.transpose()?;
        Ok(Self { processing, resampler, route, labels, probabilities, has_rows: false })
    }

    /// The next rows, (classes, n, y, x) in the network's order; `first` is the first one's index.
    pub(crate) fn push(&mut self, first: usize, rows: &Tensor) -> Result<()> {
        let count = rows.size()[1] as usize;
        ensure_finite(rows)?;
        self.choose_device(rows);
        match &mut self.route {
            Route::Slabs(slabs) => {
                if let Some(slab) = slabs.push(from_tensor(rows)?)? {
                    self.reduce(slab)?;
                }
            }
            Route::DeviceSlabs(slabs) => {
                let (processing, labels) = (self.processing, &mut self.labels);
                let resampled = self.resampler.resamples();
                slabs.push(rows, &mut |slab| {
                    let scores = processing.finish_score_tensor(slab.scores, resampled)?;
                    let found = labels_of(processing.output_head(), &scores)?;
                    let rows = slab.first..slab.first + found.shape()[slab.axis];
                    labels.slice_axis_mut(Axis(slab.axis), rows.into()).assign(&found);
                    Ok::<(), ComponentError>(())
                })?;
            }
            Route::Classes { sums, .. } => {
                sums.f_narrow(1, first as i64, count as i64)?.f_copy_(rows)?;
            }
            Route::Labels { labels, .. } => {
                let found = labels_of(self.processing.output_head(), rows)?;
                labels.slice_axis_mut(Axis(0), (first..first + count).into()).assign(&found);
            }
        }
        Ok(())
    }

    /// Rows that come from a GPU become labels there, unless probabilities are wanted too or splines take part.
    fn choose_device(&mut self, rows: &Tensor) {
        let on_gpu = rows.device() != Device::Cpu && self.probabilities.is_none();
        if on_gpu
            && matches!(self.route, Route::Slabs(_))
            && !self.has_rows
            && let Some(slabs) = TensorSlabs::new(self.resampler)
        {
            self.route = Route::DeviceSlabs(Box::new(slabs));
        }
        self.has_rows = true;
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
        self.close(properties)?;
        if let Some(kept) = self.probabilities.take() {
            kept.save(&case.beside(".npz"))?;
            records::save(&case.beside(".pkl"), &self.processing.probability_properties(properties)?)?;
        }
        self.processing.write_labels(self.labels, properties, &case.output)
    }

    /// Resampling that needs all rows.
    fn close(&mut self, properties: &CaseProperties) -> Result<()> {
        match &self.route {
            Route::Slabs(_) | Route::DeviceSlabs(_) => Ok(()),
            Route::Labels { labels, nearest } => {
                self.labels = labels_to_cropped_grid(labels.view(), &self.resampler, *nearest);
                Ok(())
            }
            Route::Classes { sums, storage } => {
                let resample = |class: ArrayView3<'_, f32>| {
                    self.processing.resample_class(class, &self.resampler, properties)
                };
                let resampled = class_by_class(&self.resampler, sums, storage, resample)?;
                let size = self.resampler.cropped;
                (0..size[0]).step_by(ROWS).try_for_each(|first| {
                    let rows = resampled.f_narrow(1, first as i64, ROWS.min(size[0] - first) as i64)?;
                    self.reduce(Slab { axis: 0, first, scores: from_tensor(&rows)? })
                })
            }
        }
    }
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
fn class_by_class(
    way: &ExportResampler,
    sums: &Tensor,
    storage: &Storage,
    resample: impl Fn(ArrayView3<'_, f32>) -> Result<Array3<f32>>,
) -> Result<Tensor> {
    let classes = sums.size()[0];
    let resampled = storage.zeros(&shape(classes as usize, way.cropped), Kind::Float)?;
    for class in 0..classes {
        let scores = from_tensor(&sums.f_narrow(0, class, 1)?)?;
        let whole = resample(scores.index_axis(Axis(0), 0))?.insert_axis(Axis(0));
        resampled.f_narrow(0, class, 1)?.f_copy_(&to_tensor(whole.view())?)?;
    }
    Ok(resampled)
}

fn shape(classes: usize, [z, y, x]: [usize; 3]) -> [i64; 4] {
    [classes, z, y, x].map(|len| len as i64)
}
