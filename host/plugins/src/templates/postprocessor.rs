//! MyPostprocessor: a postprocessor for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Component, Info, Kind, LabelVolume, Postprocessor, Registration, Result, export_plugin, inventory,
    parse_config,
};

export_plugin!();

/// Its parameters: `--parameters 'mm3 = 50.0'`, or `[postprocessors.X]` in nnunet.toml.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyPostprocessor {
    /// A class that covers less than this, in mm3, is removed.
    #[schemars(range(min = 0.0))]
    mm3: f64,
}

impl Default for MyPostprocessor {
    fn default() -> Self {
        Self { mm3: 10.0 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Postprocessor, "MyPostprocessor", "Removes classes that cover too little.");
    Component::postprocessor(info.with_config::<MyPostprocessor>(), |config| {
        Ok(Box::new(parse_config::<MyPostprocessor>(config)?))
    })
}));

impl Postprocessor for MyPostprocessor {
    /// Changes `labels`, (z, y, x), in place; `spacing` is in mm.
    fn apply(&self, volume: &mut LabelVolume) -> Result<()> {
        let voxel: f64 = volume.spacing.iter().product();
        let mut counts = [0_usize; 256];
        volume.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        volume.labels.mapv_inplace(|label| {
            if (counts[usize::from(label)] as f64) * voxel < self.mm3 { 0 } else { label }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::ndarray::Array3;

    use super::*;

    #[test]
    fn small_classes_go_and_large_ones_stay() {
        let labels = Array3::from_shape_fn((4, 4, 4), |(z, y, x)| if z < 2 { 1 } else { u8::from(y + x == 0) * 2 });
        let mut volume = LabelVolume { labels, spacing: [1.0; 3] };
        MyPostprocessor::default().apply(&mut volume).unwrap();
        assert_eq!(volume.labels.iter().filter(|label| **label == 1).count(), 32);
        assert!(!volume.labels.iter().any(|label| *label == 2));
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
