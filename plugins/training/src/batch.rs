//! Batches: which cases, which patches, and how they become tensors.

use std::ops::Range;

use ndarray::{Array4, Axis, concatenate, s};
use nnunet_augmentation::{
    AugmentationParams, Placement, Sample, Stream, augment, crop_with_padding, downsample_labels, place,
};
use nnunet_inference::to_tensor;
use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Error, Result};

/// Preprocessed cases by number. Read from several threads at once.
pub trait CaseSource: Send + Sync {
    /// Number of cases.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of a case.
    fn name(&self, case: usize) -> &str;

    /// Shape of a case, (channels with labels last, z, y, x).
    fn shape(&self, case: usize) -> [usize; 4];

    /// Sampled positions (z, y, x) of every class that occurs.
    fn locations(&self, case: usize) -> &[Vec<[i64; 3]>];

    /// A box of all channels, labels last.
    ///
    /// # Errors
    /// A case that cannot be read.
    fn read(&self, case: usize, z: Range<usize>, y: Range<usize>, x: Range<usize>) -> Result<Array4<f32>>;
}

/// How batches are made.
#[derive(Debug, Clone)]
pub struct BatchPlan {
    /// Samples per batch.
    pub batch_size: usize,
    /// Network input, 2 or 3 axes.
    pub patch: Vec<usize>,
    /// Share of samples without a foreground guarantee is one minus this.
    pub oversample_foreground: f64,
    /// Augmentation; validation batches have none.
    pub augmentation: Option<AugmentationParams>,
    /// By channel: clear outside the nonzero mask.
    pub use_mask: Vec<bool>,
    /// Scales of the targets by axis of the patch, full resolution first.
    pub scales: Vec<Vec<f64>>,
    /// Start of all random numbers.
    pub seed: u64,
}

/// One batch.
#[derive(Debug)]
pub struct Batch {
    /// (batch, channels, patch...), float.
    pub data: Tensor,
    /// By scale: (batch, 1, space...), int64.
    pub targets: Vec<Tensor>,
    /// Cases the samples come from.
    pub cases: Vec<String>,
}

impl BatchPlan {
    /// Makes batch `index` of an epoch. It depends on seed, epoch and index alone.
    ///
    /// # Errors
    /// A case that cannot be read.
    pub fn make(&self, source: &dyn CaseSource, epoch: usize, index: usize) -> Result<Batch> {
        let forced_from =
            round_half_even(self.batch_size as f64 * (1.0 - self.oversample_foreground)) as usize;
        let mut data = Vec::new();
        let mut targets: Vec<Vec<Array4<f32>>> = vec![Vec::new(); self.scales.len()];
        let mut cases = Vec::new();
        for sample in 0..self.batch_size {
            let mut random = Stream::new(self.seed, epoch, index, sample);
            let case = random.below(source.len());
            let made = self.sample(source, case, sample >= forced_from, &mut random)?;
            let scales: Vec<[f64; 3]> = self.scales.iter().map(|scale| in_3d(scale, 1.0)).collect();
            for (level, target) in targets.iter_mut().zip(downsample_labels(&made.seg, &scales)) {
                level.push(target);
            }
            data.push(made.data);
            cases.push(source.name(case).to_owned());
        }
        Ok(Batch {
            data: self.stack(&data)?,
            targets: targets
                .iter()
                .map(|level| Ok(self.stack(level)?.f_to_kind(Kind::Int64)?))
                .collect::<Result<_>>()?,
            cases,
        })
    }

    fn sample(
        &self,
        source: &dyn CaseSource,
        case: usize,
        forced: bool,
        random: &mut Stream,
    ) -> Result<Sample> {
        let whole = source.shape(case);
        let shape = [whole[1], whole[2], whole[3]];
        let patch = in_3d(&self.patch, 1);
        let generator =
            self.augmentation.as_ref().map_or_else(|| self.patch.clone(), |p| p.generator_patch(&self.patch));
        let generator = in_3d(&generator, 1);
        let around = if forced { foreground(source.locations(case), self.patch.len(), random) } else { None };
        let placement = around.map_or(Placement::Random, Placement::Around);
        let mut corner = place(shape, generator, patch, placement, random);
        if self.patch.len() == 2 {
            // A slice is chosen, never padded.
            corner[0] = around.map_or_else(|| random.below(shape[0]) as isize, |at| at[0] as isize);
        }
        let mut outside = vec![0.0; whole[0]];
        outside[whole[0] - 1] = -1.0;
        let mut failed = None;
        let array = crop_with_padding(shape, corner, generator, &outside, |z, y, x| {
            let size = (whole[0], z.len(), y.len(), x.len());
            source.read(case, z, y, x).unwrap_or_else(|error| {
                failed = Some(error);
                Array4::zeros(size)
            })
        });
        if let Some(error) = failed {
            return Err(error.within(source.name(case)));
        }
        let channels = whole[0] - 1;
        let sample = Sample {
            data: array.slice(s![..channels, .., .., ..]).to_owned(),
            seg: array.slice(s![channels.., .., .., ..]).to_owned(),
        };
        Ok(match &self.augmentation {
            Some(params) => augment(sample, patch, params, &self.use_mask, random),
            None => Sample { seg: sample.seg.mapv(|label| label.max(0.0)), ..sample },
        })
    }

    /// Samples along a new first axis; slices lose their z.
    fn stack(&self, samples: &[Array4<f32>]) -> Result<Tensor> {
        let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
        let joined = concatenate(Axis(0), &views).map_err(|error| Error::message(error.to_string()))?;
        let shape = samples.first().map(|sample| sample.shape().to_vec()).unwrap_or_default();
        let mut size = vec![samples.len() as i64, shape[0] as i64];
        size.extend(shape[4 - self.patch.len()..].iter().map(|len| *len as i64));
        Ok(to_tensor(joined.view())?.f_reshape(&size)?)
    }
}

/// A position of a class drawn at random, then one of its locations. For slices the slice is drawn first.
fn foreground(classes: &[Vec<[i64; 3]>], axes: usize, random: &mut Stream) -> Option<[usize; 3]> {
    let present: Vec<&Vec<[i64; 3]>> = classes.iter().filter(|locations| !locations.is_empty()).collect();
    let locations = present.get(random.below(present.len()))?;
    let at = if axes == 2 {
        let mut slices: Vec<i64> = locations.iter().map(|at| at[0]).collect();
        slices.sort_unstable();
        slices.dedup();
        let slice = slices[random.below(slices.len())];
        let within: Vec<&[i64; 3]> = locations.iter().filter(|at| at[0] == slice).collect();
        *within[random.below(within.len())]
    } else {
        locations[random.below(locations.len())]
    };
    Some(at.map(|position| position.max(0) as usize))
}

/// Two axes become three with a first one of `fill`.
fn in_3d<T: Copy>(values: &[T], fill: T) -> [T; 3] {
    let mut all = [fill; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}
