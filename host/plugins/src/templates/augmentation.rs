//! MyAugmentation: an augmentation for nnunet.

use nnunet_plugin_api::ndarray::s;
use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::{
    Augmentation, AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample,
    export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `augmentation = { name = "MyAugmentation", p = 0.5 }` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyAugmentation {
    /// How often a sample is mirrored.
    #[schemars(range(min = 0.0, max = 1.0))]
    p: f64,
}

impl Default for MyAugmentation {
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Augmentation, "MyAugmentation", "Mirrors along x.");
    Component::augmentation(info.with_config::<MyAugmentation>(), |config| {
        Ok(Box::new(parse_config::<MyAugmentation>(config)?))
    })
}));

impl Augmentation for MyAugmentation {
    /// Image and labels, (channels, z, y, x). Draw from `random` only: the same seed then gives the same training.
    fn augment(&self, sample: Sample, _: &AugmentationContext, random: &mut RandomStream) -> Result<Sample> {
        if !random.chance(self.p) {
            return Ok(sample);
        }
        Ok(Sample {
            data: sample.data.slice(s![.., .., .., ..;-1]).to_owned(),
            seg: sample.seg.slice(s![.., .., .., ..;-1]).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::ndarray::Array4;

    use super::*;

    #[test]
    fn image_and_labels_are_mirrored_together() {
        let array = Array4::from_shape_fn((1, 1, 1, 4), |(_, _, _, x)| x as f32);
        let sample = Sample { data: array.clone(), seg: array };
        let mut random = RandomStream::from_seed(1);
        let always = MyAugmentation { p: 1.0 };
        let mirrored = always.augment(sample, &AugmentationContext::default(), &mut random).unwrap();
        assert_eq!(mirrored.data.iter().copied().collect::<Vec<_>>(), [3.0, 2.0, 1.0, 0.0]);
        assert_eq!(mirrored.data, mirrored.seg);
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
