//! One random case that is always at hand, to measure networks without data (v1: the `dummyLoad` trainers).

use std::ops::Range;

use ndarray::{Array4, ArrayViewMut4, s};
use nnunet_plugin_api::{RandomStream, Result};

use crate::case_source::CaseSource;

/// A case of the size of a patch.
#[derive(Debug)]
pub struct DummyCase {
    data: Array4<f32>,
    seg: Array4<f32>,
}

impl DummyCase {
    /// Values between 0 and 1 and labels up to `num_labels`, for a patch of 2 or 3 axes.
    #[must_use]
    pub fn new(channels: usize, num_labels: usize, patch: &[usize], seed: u64) -> Self {
        let mut random = RandomStream::new(seed, 0, 0, 0);
        let mut size = [1; 3];
        size[3 - patch.len()..].copy_from_slice(patch);
        let [z, y, x] = size;
        let data = Array4::from_shape_simple_fn((channels, z, y, x), || random.uniform(0.0, 1.0) as f32);
        let label = || random.uniform(0.0, num_labels as f64).round() as f32;
        let seg = Array4::from_shape_simple_fn((1, z, y, x), label);
        Self { data, seg }
    }
}

impl CaseSource for DummyCase {
    fn len(&self) -> usize {
        1
    }

    fn name(&self, _case: usize) -> &str {
        "random"
    }

    fn shape(&self, _case: usize) -> [usize; 4] {
        let (channels, z, y, x) = self.data.dim();
        [channels, z, y, x]
    }

    fn locations(&self, _case: usize) -> &[Vec<[i64; 3]>] {
        &[]
    }

    fn read(
        &self,
        _case: usize,
        space: &[Range<usize>; 3],
        mut data: ArrayViewMut4<'_, f32>,
        mut seg: ArrayViewMut4<'_, f32>,
    ) -> Result<()> {
        let [z, y, x] = space.clone();
        data.assign(&self.data.slice(s![.., z.clone(), y.clone(), x.clone()]));
        seg.assign(&self.seg.slice(s![.., z, y, x]));
        Ok(())
    }
}
