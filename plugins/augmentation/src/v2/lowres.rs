//! v2's simulation of low resolution.

use ndarray::{ArrayView3, ArrayViewMut3};
use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, draw, per_channel};

/// Downsamples channels by nearest neighbor and upsamples them linearly. Source: batchgeneratorsv2
/// `SimulateLowResolutionTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearLowResolution {
    /// Probability per sample.
    pub p_lowres: f64,
    /// Probability per channel of a selected sample.
    pub p_lowres_per_channel: f64,
    /// Range of the downsampling factor.
    pub lowres_zoom: Interval,
    /// Whether strongly anisotropic volumes are transformed slice by slice.
    pub dummy_2d: bool,
}

impl Default for LinearLowResolution {
    fn default() -> Self {
        Self { p_lowres: 0.25, p_lowres_per_channel: 0.5, lowres_zoom: [0.5, 1.0], dummy_2d: true }
    }
}

impl LinearLowResolution {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        let keep_first = self.dummy_2d && context.dummy_2d;
        let zooms = self.draw(sample.data.shape()[0], random);
        for (channel, zoom) in sample.data.outer_iter_mut().zip(zooms) {
            if let Some(zoom) = zoom {
                simulate_low_resolution_linear(channel, zoom, keep_first);
            }
        }
    }

    /// The factor of each channel that is changed.
    pub(crate) fn draw(&self, channels: usize, random: &mut RandomStream) -> Vec<Option<f64>> {
        let p = if random.chance(self.p_lowres) { self.p_lowres_per_channel } else { return Vec::new() };
        per_channel(channels, p, random, |random| draw(self.lowres_zoom, random))
    }
}

/// Downsamples a channel by nearest neighbor and upsamples it linearly, without the small image: both are weighted sums
/// of voxels along each axis. `keep_first` does not change z.
///
/// Source: `torch.nn.functional.interpolate`, modes `nearest-exact` and `trilinear`.
pub fn simulate_low_resolution_linear(mut channel: ArrayViewMut3<'_, f32>, zoom: f64, keep_first: bool) {
    let shape = [channel.shape()[0], channel.shape()[1], channel.shape()[2]];
    // v2 draws the factor in double precision and keeps it in single precision.
    let zoom = f64::from(zoom as f32);
    let mut small = shape.map(|len| (round_half_even(len as f64 * zoom) as usize).max(1));
    if keep_first {
        small[0] = shape[0];
    }
    let lines: [Line; 3] = std::array::from_fn(|axis| Line::new(shape[axis], small[axis]));
    let planes: Vec<Vec<f32>> =
        lines[0].kept.iter().map(|z| plane(channel.view(), *z, &lines[1], &lines[2])).collect();
    for (mut to, (low, high, weight)) in channel.outer_iter_mut().zip(lines[0].between()) {
        let values = planes[low].iter().zip(&planes[high]);
        to.iter_mut().zip(values).for_each(|(to, (a, b))| *to = a + weight * (b - a));
    }
}

/// Plane `z`, at low resolution along y and x.
fn plane(channel: ArrayView3<'_, f32>, z: usize, along_y: &Line, along_x: &Line) -> Vec<f32> {
    let width = channel.shape()[2];
    let mut rows = Vec::with_capacity(along_y.kept.len() * width);
    let mut row = vec![0.0; width];
    for y in &along_y.kept {
        row.iter_mut().zip(channel.slice(ndarray::s![z, *y, ..])).for_each(|(to, from)| *to = *from);
        rows.extend(along_x.between().map(|(low, high, weight)| {
            let (a, b) = (row[along_x.kept[low]], row[along_x.kept[high]]);
            a + weight * (b - a)
        }));
    }
    let mut out = Vec::with_capacity(along_y.places.len() * width);
    for (low, high, weight) in along_y.between() {
        let row = |at: usize| &rows[at * width..(at + 1) * width];
        out.extend(row(low).iter().zip(row(high)).map(|(a, b)| a + weight * (b - a)));
    }
    out
}

/// How a line is sampled.
struct Line {
    /// The voxels that are kept.
    kept: Vec<usize>,
    /// By voxel: its position among those.
    places: Vec<f32>,
}

impl Line {
    fn new(len: usize, small: usize) -> Self {
        let step = len as f32 / small as f32;
        let kept = (0..small).map(|at| (((at as f32 + 0.5) * step) as usize).min(len - 1)).collect();
        let step = small as f32 / len as f32;
        let last = (small - 1) as f32;
        let places = (0..len).map(|at| ((at as f32 + 0.5) * step - 0.5).clamp(0.0, last)).collect();
        Self { kept, places }
    }

    /// By voxel: the two kept voxels around it and the weight of the second.
    fn between(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let last = self.kept.len() - 1;
        self.places.iter().map(move |place| {
            let low = *place as usize;
            (low, (low + 1).min(last), place - low as f32)
        })
    }
}
