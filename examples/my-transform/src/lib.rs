//! A built-in augmentation plus one transform: `moreDA`, then a slab of the image is set to 0 in every second sample.

use nnunet_plugin_api::ndarray::s;
use nnunet_plugin_api::{
    Augmentation, AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample,
    export_plugin, host, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Augmentation, "moreDAAndGaps", "moreDA, then a gap of some slices.");
    Component::augmentation(info, |config| Ok(Box::new(MoreAndGaps(host::augmentation("moreDA", config)?))))
}));

struct MoreAndGaps(Box<dyn Augmentation>);

impl Augmentation for MoreAndGaps {
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Vec<usize>> {
        self.0.generator_patch(context)
    }

    fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Result<Vec<usize>> {
        self.0.crop(context, random)
    }

    fn augment(
        &self,
        sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        let mut sample = self.0.augment(sample, context, random)?;
        if random.chance(0.5) {
            let rows = sample.data.dim().2;
            let start = random.below(rows);
            sample.data.slice_mut(s![.., .., start..(start + rows / 8 + 1).min(rows), ..]).fill(0.0);
        }
        Ok(sample)
    }
}
