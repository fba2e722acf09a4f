//! A transform that goes wrong on request.

use nnunet_plugin_api::ndarray::Array4;
use nnunet_plugin_api::{
    AugmentationContext, Component, Info, Kind, RandomStream, Registration, Result, Sample, Transform,
    inventory,
};

use crate::{fault, for_ever, until_cancelled};

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Transform, "OddTransform", "Changes nothing.");
    Component::transform(info, |_| {
        assert_ne!(fault(), "transform_create", "as requested");
        Ok(Box::new(OddTransform))
    })
}));

struct OddTransform;

impl Transform for OddTransform {
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Option<Vec<usize>>> {
        assert_ne!(fault(), "transform_first_patch", "as requested");
        let small = vec![1; context.patch.len()];
        Ok(if fault() == "transform_first_small" { Some(small) } else { None })
    }

    fn crop(&self, context: &AugmentationContext, _: &RandomStream) -> Result<Option<Vec<usize>>> {
        assert_ne!(fault(), "transform_first_crop", "as requested");
        let large = vec![1 << 20; context.patch.len()];
        Ok(if fault() == "transform_first_large" { Some(large) } else { None })
    }

    fn apply(&self, mut sample: Sample, _: &AugmentationContext, _: &mut RandomStream) -> Result<Sample> {
        match fault().as_str() {
            "transform_panic" => panic!("the transform panics as requested"),
            "transform_nan" => sample.data.fill(f32::NAN),
            "transform_shape" => sample.data = Array4::zeros((1, 1, 1, 1)),
            "transform_labels" => sample.seg = Array4::zeros((1, 1, 1, 1)),
            "transform_endless" => return Err(until_cancelled()),
            "transform_deaf" => for_ever(),
            _ => {}
        }
        Ok(sample)
    }
}
