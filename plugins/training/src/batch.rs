//! Batches: which cases, which patches, and how they become tensors.

use std::fmt;
use std::sync::Arc;

use ndarray::{Array4, Axis, s};
use nnunet_augmentation::{Placement, append_previous_stage, downsample_into, overlap, place};
use nnunet_losses::region_masks;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::tch::kind::Element;
use nnunet_plugin_api::{
    Augmentation, AugmentationContext, Batch, Error, RandomStream, Result, Sample, SamplerContext, TaskHead,
};
use nnunet_torch_ops::ranks;

use crate::case_source::CaseSource;
use crate::sampling::{Drawn, SharedSampler};

/// How batches are made.
#[derive(Clone)]
pub struct BatchPlan {
    /// Samples per batch.
    pub batch_size: usize,
    /// Fraction of samples that are guaranteed to contain foreground (`oversample_foreground_percent`).
    pub oversample_foreground: f64,
    /// Chooses cases and patches.
    pub sampler: SharedSampler,
    /// Augmentation; validation batches have none.
    pub augmentation: Option<Arc<dyn Augmentation>>,
    /// The network's input and what else augmentation must know.
    pub context: AugmentationContext,
    /// Scales of the targets by axis of the patch, full resolution first.
    pub scales: Vec<Vec<f64>>,
    /// Labels of every region, when the targets are overlapping regions.
    pub regions: Option<Vec<Vec<u8>>>,
    /// Makes the targets, if the trainer names a head.
    pub head: Option<TaskHead>,
    /// Random seed.
    pub seed: u64,
}

impl fmt::Debug for BatchPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batch_size, context, scales, seed, .. } = self;
        f.debug_struct("BatchPlan")
            .field("batch_size", batch_size)
            .field("context", context)
            .field("scales", scales)
            .field("seed", seed)
            .finish_non_exhaustive()
    }
}

impl BatchPlan {
    /// Makes batch `index` of an epoch, or this process's share of it. A sample depends on seed, epoch, index and its place in
    /// the whole batch alone, and on what the sampler has learned.
    ///
    /// # Errors
    /// Returns an error if a case cannot be read, or the error of the augmentation.
    pub fn make(&self, source: &dyn CaseSource, epoch: usize, index: usize) -> Result<Batch> {
        let scales: Vec<[f64; 3]> = self.scales.iter().map(|scale| in_3d(scale, 1.0)).collect();
        let mut data = Stack::default();
        let mut targets = vec![Stack::<i64>::default(); self.scales.len()];
        let mut cases = Vec::new();
        for sample in ranks::share(self.batch_size) {
            let mut random = RandomStream::new(self.seed, epoch, index, sample);
            let context = SamplerContext {
                epoch,
                batch: index,
                sample,
                batch_size: self.batch_size,
                foreground: self.oversample_foreground,
                axes: self.context.patch.len(),
            };
            let drawn = self.sampler.draw(source, &context, &mut random)?;
            let made = self.sample(source, &drawn, &mut random)?;
            for (level, scale) in targets.iter_mut().zip(&scales) {
                level.push_labels(&made.seg, scale);
            }
            data.push(&made.data);
            cases.push(source.name(drawn.case).to_owned());
        }
        Ok(Batch {
            data: data.tensor(self.context.patch.len())?,
            targets: targets.iter().map(|level| self.target(level)).collect::<Result<_>>()?,
            cases,
        })
    }

    /// One sample: (channels, patch) and labels, -1 outside of the nonzero mask.
    fn sample(&self, source: &dyn CaseSource, drawn: &Drawn, random: &mut RandomStream) -> Result<Sample> {
        let case = drawn.case;
        let patch = &self.context.patch;
        let generator = match &self.augmentation {
            Some(augmentation) => augmentation.generator_patch(&self.context)?,
            None => patch.clone(),
        };
        let corner = self.corner(source, drawn, in_3d(&generator, 1), random);
        let crop = match &self.augmentation {
            Some(augmentation) => augmentation.crop(&self.context, random)?,
            None => generator.clone(),
        };
        let [generator, crop] = [generator, crop].map(|size| in_3d(&size, 1));
        let corner = std::array::from_fn(|axis| {
            corner[axis] + (generator[axis].saturating_sub(crop[axis]) / 2) as isize
        });
        let read = self.read(source, case, corner, crop).map_err(|error| error.within(source.name(case)))?;
        let mut sample = match &self.augmentation {
            Some(augmentation) => augmentation.augment(read, &self.context, random)?,
            None => read,
        };
        append_previous_stage(&mut sample, self.context.num_labels);
        self.checked(sample)
    }

    /// Corner of the generator's patch (z, y, x).
    fn corner(
        &self,
        source: &dyn CaseSource,
        &Drawn { case, center }: &Drawn,
        generator: [usize; 3],
        random: &mut RandomStream,
    ) -> [isize; 3] {
        let [_, z, y, x] = source.shape(case);
        let placement = center.map_or(Placement::Random, Placement::Around);
        let mut corner = place([z, y, x], generator, in_3d(&self.context.patch, 1), placement, random);
        if self.context.patch.len() == 2 {
            // A slice is chosen, never padded.
            corner[0] = center.map_or_else(|| random.below(z) as isize, |at| at[0] as isize);
        }
        corner
    }

    /// A box of a case; beyond the case images are 0, labels -1 and the previous stage's labels 0.
    fn read(
        &self,
        source: &dyn CaseSource,
        case: usize,
        corner: [isize; 3],
        size: [usize; 3],
    ) -> Result<Sample> {
        let [channels, z, y, x] = source.shape(case);
        let [nz, ny, nx] = size;
        let mut data = Array4::zeros((channels, nz, ny, nx));
        let mut seg = Array4::zeros((source.label_channels(), nz, ny, nx));
        seg.index_axis_mut(Axis(0), 0).fill(-1.0);
        if let Some(found) = overlap([z, y, x], corner, size) {
            let [wz, wy, wx] = found.within;
            let inner = s![.., wz, wy, wx];
            source.read(case, &found.case, data.slice_mut(inner), seg.slice_mut(inner))?;
        }
        Ok(Sample { data, seg })
    }

    /// A plugin may have returned anything.
    fn checked(&self, sample: Sample) -> Result<Sample> {
        let patch = in_3d(&self.context.patch, 1);
        for array in [&sample.data, &sample.seg] {
            if array.shape()[1..] != patch {
                return Err(Error::shape(
                    "augmentation",
                    format!("{patch:?}"),
                    format!("{:?}", &array.shape()[1..]),
                ));
            }
        }
        Ok(sample)
    }

    fn target(&self, level: &Stack<i64>) -> Result<Tensor> {
        let labels = level.tensor(self.context.patch.len())?;
        if let Some(head) = &self.head {
            return head.targets(&labels);
        }
        match &self.regions {
            Some(regions) => region_masks(&labels, regions),
            None => Ok(labels),
        }
    }
}

/// The values of samples of one shape, one after the other.
#[derive(Debug, Clone)]
struct Stack<T> {
    values: Vec<T>,
    samples: usize,
    /// Of a sample, (channels, z, y, x).
    shape: [usize; 4],
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self { values: Vec::new(), samples: 0, shape: [0; 4] }
    }
}

impl Stack<f32> {
    fn push(&mut self, sample: &Array4<f32>) {
        match sample.as_slice() {
            Some(values) => self.values.extend_from_slice(values),
            None => self.values.extend(sample),
        }
        self.samples += 1;
        self.shape = sample.dim().into();
    }
}

impl Stack<i64> {
    /// Labels at a lower resolution; negative ones become 0.
    fn push_labels(&mut self, labels: &Array4<f32>, scale: &[f64; 3]) {
        let whole = |label: f32| i64::from(label.max(0.0) as i32);
        let [z, y, x] = downsample_into(labels, scale, whole, &mut self.values);
        self.samples += 1;
        self.shape = [labels.shape()[0], z, y, x];
    }
}

impl<T: Element> Stack<T> {
    /// Samples along a new first axis; slices, of patches with two axes, lose their z.
    fn tensor(&self, axes: usize) -> Result<Tensor> {
        let mut size = vec![self.samples as i64, self.shape[0] as i64];
        size.extend(self.shape[4 - axes..].iter().map(|len| *len as i64));
        Ok(Tensor::f_from_slice(&self.values)?.f_reshape(&size)?)
    }
}

/// Two axes become three with a first one of `fill`.
fn in_3d<T: Copy>(values: &[T], fill: T) -> [T; 3] {
    let mut all = [fill; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}
