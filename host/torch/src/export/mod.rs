//! Rows of scores, as they come from the network, to a label map on disk.

mod device_labels;
mod own_head;
mod probabilities;

use std::path::Path;

use anyhow::{Result, ensure};
use ndarray::{Array3, ArrayView3, Axis};
use nnunet_data::records;
use nnunet_inference::{
    ExportResampler, SegmentationHeads, Slab, SlabResampler, Storage, TensorSlab, TensorSlabs, TensorVolume,
    from_tensor, is_out_of_memory, labels_to_cropped_grid, to_tensor,
};
use nnunet_plugin_api::OnlineDice;
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
    places: Places<'a>,
    /// None until the first rows arrive.
    route: Option<Route>,
    /// Labels of the cropped case.
    labels: Array3<u16>,
    /// Values of the cropped case, of a head that writes no labels.
    values: Option<Array3<f32>>,
    probabilities: Option<Probabilities>,
}

/// Where an export keeps what is large.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Where scores of a whole volume are kept if there is no other way.
    pub(crate) storage: &'a Storage,
    /// Whether a GPU that scores come from may keep those of a whole volume, for splines.
    pub(crate) volumes_on_device: bool,
    /// For temporary files.
    pub(crate) folder: &'a Path,
}

enum Route {
    /// Scores are resampled slab by slab.
    Slabs(Box<SlabResampler>),
    /// As above, on the GPU where they come from. Only labels leave it.
    DeviceSlabs(Box<TensorSlabs>),
    /// Splines need the whole volume: it is kept on the GPU that it comes from. Only labels leave it.
    DeviceVolume(Box<TensorVolume>),
    /// As above, in `sums`; scores are resampled class by class.
    Classes { sums: Tensor, storage: Storage },
    /// Labels of the network's grid are resampled, by linear weights or by nearest neighbor.
    Labels { labels: Array3<u16>, nearest: bool },
}

impl Route {
    /// The route of a case whose first rows are these. Rows that come from a GPU become labels there, unless probabilities
    /// are wanted too.
    fn of(
        processing: &dyn CaseExport,
        resampler: ExportResampler,
        places: Places<'_>,
        rows: &Tensor,
    ) -> Result<Self> {
        let (outputs, own) = (rows.size()[0] as usize, processing.head().is_some());
        if let (ResampledData::Labels { nearest }, false) = (processing.resampled_data(), own) {
            return Ok(Route::Labels { labels: Array3::zeros(resampler.network), nearest });
        }
        let by_component = processing.resamples_by_component();
        if !own && !by_component && rows.device() != Device::Cpu && processing.probability_format().is_none()
        {
            if let Some(slabs) = TensorSlabs::new(resampler) {
                return Ok(Route::DeviceSlabs(Box::new(slabs)));
            }
            if places.volumes_on_device {
                match TensorVolume::new(resampler, outputs, rows.device()) {
                    Ok(volume) => return Ok(Route::DeviceVolume(Box::new(volume))),
                    Err(error) if is_out_of_memory(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if let Some(slabs) = SlabResampler::new(resampler).filter(|_| !by_component) {
            return Ok(Route::Slabs(Box::new(slabs)));
        }
        // Splines of arrays are computed in main memory.
        let storage = match places.storage {
            Storage::Device(_) => Storage::Device(Device::Cpu),
            file => file.clone(),
        };
        let sums = storage.zeros(&shape(outputs, resampler.network), Kind::Float)?;
        Ok(Route::Classes { sums, storage })
    }
}

/// Takes slabs of scores on a device to the label map.
struct LabelMap<'a> {
    processing: &'a dyn CaseExport,
    /// The grids of network and cropped case differ.
    is_resampled: bool,
    labels: &'a mut Array3<u16>,
}

impl LabelMap<'_> {
    fn take(&mut self, slab: TensorSlab) -> nnunet_plugin_api::Result<()> {
        let scores = self.processing.finish_score_tensor(slab.scores, self.is_resampled)?;
        let found = labels_of(self.processing.output_head(), &scores)?;
        let rows = slab.first..slab.first + found.shape()[slab.axis];
        self.labels.slice_axis_mut(Axis(slab.axis), rows.into()).assign(&found);
        Ok(())
    }
}

impl<'a> Export<'a> {
    /// For the rows of one case.
    pub(crate) fn new(
        processing: &'a dyn CaseExport,
        resampler: ExportResampler,
        properties: &CaseProperties,
        places: Places<'a>,
    ) -> Result<Self> {
        let (outputs, has_background) = match (processing.head(), processing.output_head()) {
            (Some(head), _) => (head.outputs()?, head.facts().dice == OnlineDice::Classes),
            (None, heads) => (heads.count(), matches!(heads, SegmentationHeads::Labels(_))),
        };
        let probabilities = processing
            .probability_format()
            .map(|format| Probabilities::new(places.folder, format, (outputs, has_background), properties));
        let labels = Array3::zeros(resampler.cropped);
        let probabilities = probabilities.transpose()?;
        let are_values = processing.head().is_some_and(|head| !head.writes_labels());
        let values = are_values.then(|| Array3::zeros(resampler.cropped));
        Ok(Self { processing, resampler, places, route: None, labels, values, probabilities })
    }

    /// The next rows, (classes, n, y, x) in the network's order; `first` is the first one's index.
    pub(crate) fn push(&mut self, first: usize, rows: &Tensor) -> Result<()> {
        let count = rows.size()[1] as usize;
        ensure_finite(rows)?;
        let (processing, is_resampled) = (self.processing, self.resampler.resamples());
        let route = match &mut self.route {
            Some(route) => route,
            none => none.insert(Route::of(processing, self.resampler, self.places, rows)?),
        };
        match route {
            Route::Slabs(slabs) => {
                if let Some(slab) = slabs.push(from_tensor(rows)?)? {
                    self.reduce(slab)?;
                }
            }
            Route::DeviceSlabs(slabs) => {
                let mut map = LabelMap { processing, is_resampled, labels: &mut self.labels };
                slabs.push(rows, &mut |slab| map.take(slab))?;
            }
            Route::DeviceVolume(volume) => volume.put(first, rows)?,
            Route::Classes { sums, .. } => {
                sums.f_narrow(1, first as i64, count as i64)?.f_copy_(rows)?;
            }
            Route::Labels { labels, .. } => {
                let found = labels_of(processing.output_head(), rows)?;
                labels.slice_axis_mut(Axis(0), (first..first + count).into()).assign(&found);
            }
        }
        Ok(())
    }

    fn reduce(&mut self, mut slab: Slab) -> Result<()> {
        self.processing.finish_scores(&mut slab.scores, self.resampler.resamples())?;
        let rows = slab.first..slab.first + slab.scores.shape()[slab.axis + 1];
        let (axis, rows) = (Axis(slab.axis), rows.into());
        match (self.processing.head(), &mut self.values) {
            (Some(head), Some(values)) => {
                values.slice_axis_mut(axis, rows).assign(&own_head::values(head, &slab.scores)?);
            }
            (Some(head), None) => {
                self.labels.slice_axis_mut(axis, rows).assign(&own_head::labels(head, &slab.scores)?);
            }
            (None, _) => {
                let labels: Array3<u16> = self.processing.output_head().labels(slab.scores.view());
                self.labels.slice_axis_mut(axis, rows).assign(&labels);
            }
        }
        self.probabilities.as_mut().map_or(Ok(()), |kept| kept.put(&slab))
    }

    /// Writes the label map, and probabilities where they are wanted.
    pub(crate) fn finish(mut self, properties: &CaseProperties, case: &Case) -> Result<()> {
        self.close(properties)?;
        if let Some(kept) = self.probabilities.take() {
            kept.save(&case.beside(".npz"))?;
            records::save(&case.beside(".pkl"), &self.processing.probability_properties(properties)?)?;
        }
        match self.values {
            Some(values) => self.processing.write_values(values, properties, &case.output),
            None => self.processing.write_labels(self.labels, properties, &case.output),
        }
    }

    /// Resampling that needs all rows.
    fn close(&mut self, properties: &CaseProperties) -> Result<()> {
        match self.route.take() {
            None | Some(Route::Slabs(_) | Route::DeviceSlabs(_)) => Ok(()),
            Some(Route::DeviceVolume(volume)) => {
                let (processing, is_resampled) = (self.processing, self.resampler.resamples());
                let mut map = LabelMap { processing, is_resampled, labels: &mut self.labels };
                Ok(volume.finish(&mut |slab| map.take(slab))?)
            }
            Some(Route::Labels { labels, nearest }) => {
                self.labels = labels_to_cropped_grid(labels.view(), &self.resampler, nearest);
                Ok(())
            }
            Some(Route::Classes { sums, storage }) => {
                let resample = |class: ArrayView3<'_, f32>| {
                    self.processing.resample_class(class, &self.resampler, properties)
                };
                let resampled = class_by_class(&self.resampler, &sums, &storage, resample)?;
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
