//! A transform, and `moreDA` plus this transform: a slab of the image is set to 0.

use nnunet_plugin_api::ndarray::s;
use nnunet_plugin_api::schemars::JsonSchema;
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample, Transform,
    export_plugin, host, inventory, parse_config, serde_json,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Transform, "Gaps", "A gap of some slices.").with_config::<Gaps>();
    Component::transform(info, |config| Ok(Box::new(parse_config::<Gaps>(config)?)))
}));

// In `nnunet.toml` this is `augmentation = { name = "moreDA", then = [{ transform = "Gaps" }] }`.
inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Augmentation, "moreDAAndGaps", "moreDA, then a gap of some slices.");
    Component::augmentation(info, |config| {
        let mut config = config.clone();
        config.insert("then".to_owned(), serde_json::json!([{ "transform": "Gaps" }]));
        host::augmentation("moreDA", &config)
    })
}));

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
#[schemars(crate = "nnunet_plugin_api::schemars")]
struct Gaps {
    /// Probability per sample.
    p: f64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

impl Transform for Gaps {
    fn apply(
        &self,
        mut sample: Sample,
        _: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        if random.chance(self.p) {
            let rows = sample.data.dim().2;
            let start = random.below(rows);
            sample.data.slice_mut(s![.., .., start..(start + rows / 8 + 1).min(rows), ..]).fill(0.0);
        }
        Ok(sample)
    }
}
