//! What v1 promises of patches and batches, over thousands of them.

use std::ops::Range;
use std::sync::Arc;

use ndarray::ArrayViewMut4;
use nnunet_augmentation::Pipeline;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::{AugmentationContext, Batch, Config, Result, SamplerContext};

use crate::batch::BatchPlan;
use crate::case_source::CaseSource;
use crate::pool::BatchPool;
use crate::sampling::SharedSampler;

const EDGE: usize = 24;

/// A case whose only foreground is one voxel.
struct OneVoxel;

impl CaseSource for OneVoxel {
    fn len(&self) -> usize {
        3
    }

    fn name(&self, case: usize) -> &str {
        ["a", "b", "c"][case]
    }

    fn shape(&self, _case: usize) -> [usize; 4] {
        [1, EDGE, EDGE, EDGE]
    }

    fn locations(&self, _case: usize) -> &[Vec<[i64; 3]>] {
        static ONE: std::sync::LazyLock<Vec<Vec<[i64; 3]>>> =
            std::sync::LazyLock::new(|| vec![Vec::new(), vec![[20, 3, 12]]]);
        &ONE
    }

    fn read(
        &self,
        case: usize,
        space: &[Range<usize>; 3],
        mut data: ArrayViewMut4<'_, f32>,
        mut seg: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        let [at_z, at_y, at_x] = space.clone().map(|range| range.start);
        for ((_, z, y, x), value) in data.indexed_iter_mut() {
            *value = ((at_z + z) * 5 + (at_y + y) * 11 + at_x + x + case) as f32 % 17.0;
        }
        for ((_, z, y, x), label) in seg.indexed_iter_mut() {
            *label = f32::from(u8::from([at_z + z, at_y + y, at_x + x] == [20, 3, 12]));
        }
        Ok(())
    }
}

/// A case with foreground at these voxels.
pub(crate) struct Located {
    pub(crate) classes: Vec<Vec<[i64; 3]>>,
    pub(crate) annotated: Option<Vec<[i64; 3]>>,
}

impl CaseSource for Located {
    fn len(&self) -> usize {
        1
    }

    fn name(&self, _case: usize) -> &str {
        "located"
    }

    fn shape(&self, _case: usize) -> [usize; 4] {
        [1; 4]
    }

    fn locations(&self, _case: usize) -> &[Vec<[i64; 3]>] {
        &self.classes
    }

    fn annotated(&self, _case: usize) -> Option<&[[i64; 3]]> {
        self.annotated.as_deref()
    }

    fn read(
        &self,
        _: usize,
        _: &[Range<usize>; 3],
        _: ArrayViewMut4<'_, f32>,
        _: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        Ok(())
    }
}

fn plan(augmentation: &str, batch_size: usize, patch: usize) -> BatchPlan {
    let pipeline = Pipeline::named(augmentation, &Config::new()).unwrap();
    BatchPlan {
        batch_size,
        oversample_foreground: 0.33,
        sampler: SharedSampler::named("v1").unwrap(),
        augmentation: Some(Arc::new(pipeline)),
        context: AugmentationContext { patch: vec![patch; 3], num_labels: 1, ..Default::default() },
        scales: vec![vec![1.0; 3], vec![0.5; 3]],
        regions: None,
        head: None,
        seed: 7,
    }
}

fn values(batch: &Batch) -> Vec<f32> {
    Vec::try_from(batch.data.flatten(0, -1)).unwrap()
}

#[test]
fn a_batch_is_the_same_for_one_and_for_four_threads() {
    let made = |threads: usize| -> Vec<(Vec<f32>, Vec<i64>, Vec<String>)> {
        let mut pool =
            BatchPool::new(plan("DA3", 2, 16), Arc::new(OneVoxel), (3, 4), threads, Device::Cpu).unwrap();
        let mut next = || {
            let batch = pool.next().unwrap();
            let target = Vec::try_from(batch.targets[0].flatten(0, -1)).unwrap();
            (values(&batch), target, batch.cases.clone())
        };
        (0..9).map(|_| next()).collect()
    };
    let (one, four) = (made(1), made(4));
    assert_eq!(one, four);
    assert_ne!(one[0].0, one[1].0);
}

/// A third of the samples is forced to have foreground; of the others few see the only voxel.
#[test]
fn ten_thousand_patches_have_the_promised_share_of_foreground() {
    let plan = plan("noDA", 10, 8);
    let mut with_foreground = [0; 10];
    for batch in 0..1000 {
        let made = plan.make(&OneVoxel, 0, batch).unwrap();
        let per_sample = made.targets[0].flatten(1, -1).max_dim(1, false).0;
        let found: Vec<i64> = Vec::try_from(per_sample).unwrap();
        with_foreground.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    let (free, forced) = with_foreground.split_at(7);
    assert_eq!(forced, [1000; 3]);
    // Of the 17 positions of a patch along an axis 4, 4 and 8 contain the voxel. Five standard deviations are allowed.
    let probability = f64::from(4 * 4 * 8) / 17_f64.powi(3);
    let near = |count: i64, samples: f64| {
        let deviation = (samples * probability * (1.0 - probability)).sqrt();
        (count as f64 - samples * probability).abs() < 5.0 * deviation
    };
    assert!(free.iter().all(|count| near(*count, 1000.0)), "{free:?}");
    assert!(near(free.iter().sum(), 7000.0), "{free:?}");
}

/// Forced samples of batches of 1 to 12 (v1 rounds half to even).
#[test]
fn forced_samples_are_the_last_third() {
    let forced = |size: usize| {
        let needs = |sample: usize| {
            SamplerContext { sample, batch_size: size, foreground: 0.33, ..Default::default() }
                .needs_foreground()
        };
        (0..size).filter(|sample| needs(*sample)).count()
    };
    let counts: Vec<usize> = (1..=12).map(forced).collect();
    assert_eq!(counts, [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]);
}
