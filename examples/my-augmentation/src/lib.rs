//! An augmentation as a plugin: spikes in k-space, which cover an MR image with stripes (herringbone artifacts). It
//! needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-augmentation
//! nnunet --plugin target/release/libmy_augmentation.so train 3d_fullres Striped 4 0
//! ```
//!
//! with a trainer of `nnunet.toml`. An augmentation is all that is done to a sample: this one takes the place of the
//! trainer's own.
//!
//! ```toml
//! [trainers.Striped]
//! extends = "nnUNetTrainerV2"
//! augmentation = { name = "KSpaceSpikes", p = 0.5 }
//! ```

use std::f64::consts::{PI, TAU};

use nnunet_plugin_api::ndarray::ArrayViewMut3;
use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Augmentation, AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample,
    export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters, in the trainer's table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct KSpaceSpikes {
    /// Probability per channel.
    #[schemars(range(min = 0.0, max = 1.0))]
    p: f64,
    /// Most spikes of a channel.
    #[schemars(range(min = 1))]
    most: usize,
    /// Largest height of a stripe. Normalized images have a standard deviation of about one.
    #[schemars(range(min = 0.0))]
    height: f64,
}

impl Default for KSpaceSpikes {
    fn default() -> Self {
        Self { p: 0.2, most: 3, height: 0.5 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Augmentation, "KSpaceSpikes", "Stripes of spikes in k-space, and no more.")
        .with_config::<KSpaceSpikes>()
        .with_example(
            "[trainers.Striped]\nextends = \"nnUNetTrainerV2\"\naugmentation = { name = \"KSpaceSpikes\", p = 0.5 }",
        );
    Component::augmentation(info, |config| Ok(Box::new(parse_config::<KSpaceSpikes>(config)?)))
}));

impl Augmentation for KSpaceSpikes {
    fn augment(
        &self,
        mut sample: Sample,
        _context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        for mut channel in sample.data.outer_iter_mut() {
            if random.chance(self.p) {
                (0..=random.below(self.most)).for_each(|_| self.spike(channel.view_mut(), random));
            }
        }
        Ok(sample)
    }
}

impl KSpaceSpikes {
    /// Adds the plane wave that one spike is in the image; along an axis at most half a period a voxel.
    fn spike(&self, mut channel: ArrayViewMut3<'_, f32>, random: &mut RandomStream) {
        let by_voxel = [(); 3].map(|()| random.uniform(-PI, PI));
        let (phase, height) = (random.uniform(0.0, TAU), random.uniform(0.0, self.height));
        for ((z, y, x), value) in channel.indexed_iter_mut() {
            let angle = by_voxel[0] * z as f64 + by_voxel[1] * y as f64 + by_voxel[2] * x as f64;
            *value += (height * (angle + phase).cos()) as f32;
        }
    }
}
