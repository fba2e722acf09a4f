//! Simulation of low resolution.

use ndarray::ArrayViewMut3;
use nnunet_numerics::resize;
use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_core::{AugmentationContext, RandomStream, Sample};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::{Interval, channels, draw};

/// Downsamples channels and upsamples them again. Source: `SimulateLowResolutionTransform`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LowResolution {
    /// Probability per sample.
    pub p_lowres: f64,
    /// Probability per channel of a selected sample.
    pub p_lowres_per_channel: f64,
    /// Range of the downsampling factor.
    pub lowres_zoom: Interval,
}

impl Default for LowResolution {
    fn default() -> Self {
        Self { p_lowres: 0.25, p_lowres_per_channel: 0.5, lowres_zoom: [0.5, 1.0] }
    }
}

impl LowResolution {
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) {
        if random.chance(self.p_lowres) {
            channels(&mut sample.data, self.p_lowres_per_channel, random, |channel, random| {
                simulate_low_resolution(channel, draw(self.lowres_zoom, random), context.dummy_2d);
            });
        }
    }
}

/// Downsamples a channel by nearest neighbor and upsamples it with a cubic spline. `keep_first` does not change z.
pub fn simulate_low_resolution(mut channel: ArrayViewMut3<'_, f32>, zoom: f64, keep_first: bool) {
    let shape = [channel.shape()[0], channel.shape()[1], channel.shape()[2]];
    let mut small = shape.map(|len| (round_half_even(len as f64 * zoom) as usize).max(1));
    if keep_first || shape[0] == 1 {
        small[0] = shape[0];
    }
    let down = resize(channel.view(), small, 0);
    channel.assign(&resize(down.view(), shape, 3));
}
