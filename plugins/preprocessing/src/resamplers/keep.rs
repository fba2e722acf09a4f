//! No resampling (v2 `no_resampling_hack`).

use ndarray::{Array3, Array4};
use nnunet_plugin_core::{
    Component, Config, GridChange, Info, Interpolation, Kind, Registration, Resampler, Result, inventory,
    parse_config,
};
use serde::Deserialize;

inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Resampler,
        "no_resampling_hack",
        "v2: none; networks see images in their own spacing.",
    );
    Component::resampler(info, |config: &Config| {
        parse_config::<NoParameters>(config)?;
        Ok(Box::new(Keep))
    })
}));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

struct Keep;

impl Resampler for Keep {
    fn keeps_grid(&self) -> bool {
        true
    }

    fn image(&self, image: Array4<f32>, _: &GridChange) -> Result<Array4<f32>> {
        Ok(image)
    }

    fn labels(&self, labels: Array3<f32>, _: &GridChange) -> Result<Array3<f32>> {
        Ok(labels)
    }

    /// Both grids are the same, so that nothing is interpolated.
    fn interpolation(&self, _: &GridChange) -> Option<Interpolation> {
        Some(Interpolation::of_order(1).rounded(true))
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::resample_image;

    use super::*;

    #[test]
    fn nothing_changes() {
        let image = Array4::from_shape_fn((1, 3, 4, 5), |(_, z, y, x)| (z * y + x) as f32);
        assert_eq!(resample_image(&Keep, image.clone(), [1.0; 3], [2.0; 3]).unwrap(), image);
    }
}
