//! A resampler as a plugin: every voxel becomes the mean of what it covers of the old ones, so that fine structures do not
//! disappear between the voxels of a coarse grid. Labels and scores follow from it. It needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-resampler
//! nnunet --plugin target/release/libmy_resampler.so v2 plan_and_preprocess -d 4 -pl Mean
//! ```
//!
//! with, in `nnunet.toml`,
//!
//! ```toml
//! [planners.Mean]
//! extends = "nnUNetPlanner"
//! v2 = { plans_identifier = "MeanPlans", resampler_data = "MeanOfVoxels", resampler_seg = "MeanOfVoxels" }
//! ```

use nnunet_plugin_api::ndarray::{Array4, Axis};
use nnunet_plugin_api::{
    Component, GridChange, Info, Kind, Registration, Resampler, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Resampler, "MeanOfVoxels", "The mean of the voxels that a new one covers.")
        .with_example(
            "[preprocessors.Mean]\nextends = \"GenericPreprocessor\"\nresampler = \"MeanOfVoxels\"",
        );
    Component::resampler(info, |_config| Ok(Box::new(MeanOfVoxels)))
}));

struct MeanOfVoxels;

impl Resampler for MeanOfVoxels {
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        Ok((0..3).fold(image, |image, axis| along(&image, Axis(axis + 1), change.shape[axis])))
    }
}

/// One axis to another number of voxels.
fn along(image: &Array4<f32>, axis: Axis, to: usize) -> Array4<f32> {
    let from = image.len_of(axis);
    let mut shape = image.raw_dim();
    shape[axis.index()] = to;
    let mut made = Array4::zeros(shape);
    // In units of 1 / (from * to) of the axis, a new voxel is `from` long and an old one `to`.
    for (new, mut mean) in made.axis_iter_mut(axis).enumerate() {
        for old in new * from / to..((new + 1) * from).div_ceil(to) {
            let covered = ((old + 1) * to).min((new + 1) * from) - (old * to).max(new * from);
            mean.scaled_add(covered as f32 / from as f32, &image.index_axis(axis, old));
        }
    }
    made
}
