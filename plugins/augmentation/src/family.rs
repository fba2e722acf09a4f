//! Augmentations by name: each is a list of transforms.

use ndarray::Axis;
use nnunet_plugin_core::{
    Augmentation, AugmentationContext, Component, Config, Info, Kind, RandomStream, Result, Sample,
};
use serde_json::json;

use crate::transform::{Transform, schema_of};
use crate::transform_list::{change, parameters, read_list};

/// Key of a complete list of transforms.
const LIST: &str = "transforms";
/// Key of transforms after those of the list.
const THEN: &str = "then";

/// Parameters of all families.
const DESCRIPTION: &str = "A list of transforms with probabilities and ranges. A value changes in every transform that \
    has a parameter of its name. `transforms = [{ transform = \"spatial\", p_rot = 0.5 }, ...]` replaces the whole list, and \
    `then = [{ transform = \"median\" }]` adds to it; the transforms of plugins may stand in both.";

/// A list of transforms by name.
pub(crate) struct Family {
    /// Name of the component.
    pub name: &'static str,
    /// One-line description.
    pub summary: &'static str,
    /// The transforms with their values.
    pub transforms: fn() -> Vec<Transform>,
    /// Whether channels that were normalized inside the nonzero mask are set to 0 outside of it at the end.
    clears_outside: bool,
}

impl Family {
    pub(crate) const fn new(
        name: &'static str,
        summary: &'static str,
        transforms: fn() -> Vec<Transform>,
    ) -> Self {
        Self { name, summary, transforms, clears_outside: true }
    }

    pub(crate) const fn keep_outside(self) -> Self {
        Self { clears_outside: false, ..self }
    }
}

/// Transforms in the order in which they are applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    transforms: Vec<Transform>,
    clears_outside: bool,
}

impl Pipeline {
    pub(crate) fn new(family: &Family, table: &Config) -> Result<Self> {
        let mut table = table.clone();
        let mut transforms = match table.remove(LIST) {
            Some(list) => read_list(list).map_err(|error| error.within(LIST))?,
            None => (family.transforms)(),
        };
        let then =
            table.remove(THEN).map_or(Ok(Vec::new()), read_list).map_err(|error| error.within(THEN))?;
        change(&mut transforms, &table)?;
        transforms.extend(then);
        Ok(Self { transforms, clears_outside: family.clears_outside })
    }

    /// The transforms.
    #[must_use]
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }
}

impl Augmentation for Pipeline {
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Vec<usize>> {
        let first = self.transforms.first().map_or(Ok(None), |first| first.generator_patch(context))?;
        Ok(first.unwrap_or_else(|| context.patch.clone()))
    }

    fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Result<Vec<usize>> {
        let first = self.transforms.first().map_or(Ok(None), |first| first.crop(context, random))?;
        first.map_or_else(|| self.generator_patch(context), Ok)
    }

    fn augment(
        &self,
        mut sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        for transform in &self.transforms {
            transform.apply(&mut sample, context, random)?;
        }
        if self.clears_outside {
            clear_outside(&mut sample, &context.use_mask);
        }
        Ok(sample)
    }
}

/// Sets channels that were normalized inside the nonzero mask to 0 outside of it (v1 `MaskTransform`).
fn clear_outside(sample: &mut Sample, use_mask: &[bool]) {
    let labels = sample.seg.index_axis(Axis(0), 0);
    let masked = sample.data.outer_iter_mut().zip(use_mask).filter(|(_, masked)| **masked);
    for (channel, _) in masked {
        ndarray::Zip::from(channel).and(labels).for_each(|value, label| {
            if *label < 0.0 {
                *value = 0.0;
            }
        });
    }
}

/// The entry of the registry for a family.
pub(crate) fn component(family: Family) -> Component {
    let transforms = (family.transforms)();
    let example =
        format!("[trainers.Mine]\nextends = \"nnUNetTrainerV2\"\naugmentation = \"{}\"", family.name);
    let mut info = Info::new(Kind::Augmentation, family.name, family.summary)
        .describe(format!("{DESCRIPTION}\n\nThe list: {}.", listed(&transforms)))
        .with_defaults(&parameters(&transforms))
        .with_example(example);
    info.schema = schema_of(&transforms);
    for (key, text) in [
        (LIST, "The transforms, instead of those of this augmentation."),
        (THEN, "Transforms after those of the list."),
    ] {
        let items = json!({ "type": "object" });
        info.schema["properties"][key] = json!({ "description": text, "type": "array", "items": items });
    }
    Component::augmentation(info, move |table| Ok(Box::new(Pipeline::new(&family, table)?)))
}

/// Names of transforms, in order.
fn listed(transforms: &[Transform]) -> String {
    let name = |transform: &Transform| match transform {
        Transform::OneOf { choices } => format!("one of {}", listed(choices)),
        leaf => format!("`{}`", leaf.name()),
    };
    if transforms.is_empty() {
        return "nothing".to_owned();
    }
    transforms.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(value: serde_json::Value) -> Config {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_value_changes_in_all_transforms_that_have_it() {
        let changed =
            Pipeline::named("moreDA", &table(json!({"gamma_range": [0.5, 2.0], "p_rot": 0.7}))).unwrap();
        let range = |transform: &Transform| match transform {
            Transform::Gamma(gamma) => Some(gamma.gamma_range),
            Transform::InvertedGamma(gamma) => Some(gamma.gamma_range),
            _ => None,
        };
        let ranges: Vec<_> = changed.transforms.iter().filter_map(range).collect();
        assert_eq!(ranges, [[0.5, 2.0]; 2]);
        assert!(matches!(&changed.transforms[0], Transform::Spatial(spatial) if spatial.p_rot == 0.7));
        let sharper = Pipeline::named("DA5", &table(json!({"p_median": 1.0}))).unwrap();
        assert!(parameters(&sharper.transforms)["p_median"] == 1.0);
    }

    #[test]
    fn an_unknown_parameter_is_an_error_with_the_nearest_name() {
        let error = |value| Pipeline::named("moreDA", &table(value)).unwrap_err().to_string();
        assert_eq!(error(json!({"p_rotate": 1.0})), "unknown key `p_rotate`; did you mean `p_rot`?");
        assert!(
            error(json!({"p_rot": "often"})).starts_with("p_rot: "),
            "{}",
            error(json!({"p_rot": "often"}))
        );
        assert!(error(json!({"transforms": [{"transform": "smoke"}]})).contains("smoke"));
    }

    #[test]
    fn channels_are_cleared_outside_the_mask() {
        let data = ndarray::Array4::from_elem((2, 1, 1, 2), 3.0);
        let seg = ndarray::Array4::from_shape_fn((1, 1, 1, 2), |(.., x)| x as f32 - 1.0);
        let mut sample = Sample { data, seg };
        clear_outside(&mut sample, &[true, false]);
        assert_eq!(sample.data.iter().copied().collect::<Vec<_>>(), [0.0, 3.0, 3.0, 3.0]);
    }
}
