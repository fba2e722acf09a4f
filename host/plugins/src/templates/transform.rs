//! MyTransform: one step of an augmentation for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample, Transform,
    export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `augmentation = { name = "moreDA", then = [{ transform = "MyTransform", p = 0.5 }] }` in a trainer's
/// table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyTransform {
    /// How often the intensities of a sample get another sign.
    #[schemars(range(min = 0.0, max = 1.0))]
    p: f64,
}

impl Default for MyTransform {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Transform, "MyTransform", "Intensities of opposite sign.");
    Component::transform(info.with_config::<MyTransform>(), |config| {
        Ok(Box::new(parse_config::<MyTransform>(config)?))
    })
}));

impl Transform for MyTransform {
    /// Image and labels, (channels, z, y, x). Draw from `random` only: the same seed then gives the same training.
    fn apply(
        &self,
        mut sample: Sample,
        _: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        if random.chance(self.p) {
            sample.data.mapv_inplace(|value| -value);
        }
        Ok(sample)
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::ndarray::Array4;

    use super::*;

    #[test]
    fn intensities_get_another_sign_and_labels_stay() {
        let sample = Sample { data: Array4::ones((1, 1, 2, 2)), seg: Array4::ones((1, 1, 2, 2)) };
        let mut random = RandomStream::from_seed(1);
        let always = MyTransform { p: 1.0 };
        let changed = always.apply(sample, &AugmentationContext::default(), &mut random).unwrap();
        assert!(changed.data.iter().all(|value| *value == -1.0));
        assert!(changed.seg.iter().all(|label| *label == 1.0));
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
