//! A transform with its parameters, and lists of them.

use nnunet_plugin_core::{AugmentationContext, Config, RandomStream, Result, Sample, overlay, schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::axes::{Mirror, Rot90, Transpose};
use crate::brightness::{AdditiveBrightness, Brightness, Contrast, Gamma, InvertedGamma};
use crate::cascade::Cascade;
use crate::local::{BrightnessGradient, LocalGamma, Rectangles, Sharpening};
use crate::lowres::LowResolution;
use crate::noise::{Blur, Median, Noise};
use crate::spatial::Spatial;
use crate::v2::{AxisBlur, LinearLowResolution, LinearSpatial, PreviousStage};

/// Key with the name of a transform in a list.
const TAG: &str = "transform";

macro_rules! transforms {
    ($($(#[$doc:meta])* $kind:ident;)*) => {
        /// One step of an augmentation. Parameters of different transforms that share a name have the same meaning.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "transform", rename_all = "snake_case")]
        pub enum Transform {
            $($(#[$doc])* $kind($kind),)*
            /// One of several transforms, with equal probability.
            OneOf {
                /// The transforms to choose from.
                choices: Vec<Transform>,
            },
        }

        impl Transform {
            /// Draws parameters and applies the transform.
            pub(crate) fn apply(
                &self,
                sample: &mut Sample,
                context: &AugmentationContext,
                random: &mut RandomStream,
            ) {
                match self {
                    $(Transform::$kind(it) => it.apply(sample, context, random),)*
                    Transform::OneOf { choices } => {
                        if let Some(choice) = choices.get(random.below(choices.len())) {
                            choice.apply(sample, context, random);
                        }
                    }
                }
            }

            /// JSON Schema of its parameters; for `OneOf`, of all its transforms.
            fn schema(&self) -> Value {
                match self {
                    $(Transform::$kind(_) => schema::of::<$kind>(),)*
                    Transform::OneOf { choices } => schema_of(choices),
                }
            }
        }
    };
}

transforms! {
    /// Rotation, scaling, elastic deformation; cuts the sample to the patch.
    Spatial;
    /// Rotation by multiples of 90 degrees.
    Rot90;
    /// Transposed axes.
    Transpose;
    /// Mirroring.
    Mirror;
    /// Gaussian noise.
    Noise;
    /// Gaussian blur.
    Blur;
    /// Median filter.
    Median;
    /// Multiplicative brightness.
    Brightness;
    /// Additive brightness.
    AdditiveBrightness;
    /// Contrast.
    Contrast;
    /// Simulated low resolution.
    LowResolution;
    /// Gamma correction of the inverted image.
    InvertedGamma;
    /// Gamma correction.
    Gamma;
    /// Blank rectangles.
    Rectangles;
    /// Brightness gradient.
    BrightnessGradient;
    /// Local gamma correction.
    LocalGamma;
    /// Sharpening.
    Sharpening;
    /// The labels of the previous stage, in a cascade.
    Cascade;
    /// Rotation and scaling with v2's interpolation; cuts the sample to the patch.
    LinearSpatial;
    /// v2's Gaussian blur.
    AxisBlur;
    /// v2's simulated low resolution.
    LinearLowResolution;
    /// The labels of the previous stage, in a cascade of v2.
    PreviousStage;
}

impl Transform {
    /// Its parameters by name; empty for `OneOf`.
    fn parameters(&self) -> Config {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut map)) if !matches!(self, Transform::OneOf { .. }) => {
                map.remove(TAG);
                map
            }
            _ => Config::new(),
        }
    }
}

/// The schema of a table with the parameters of all transforms.
pub(crate) fn schema_of(transforms: &[Transform]) -> Value {
    let mut properties = Config::new();
    for transform in transforms {
        if let Some(Value::Object(own)) = transform.schema().get_mut("properties").map(Value::take) {
            properties.extend(own);
        }
    }
    json!({ "type": "object", "properties": properties })
}

/// All parameters of a list by name. If a transform occurs more than once, the last one counts.
pub(crate) fn parameters(transforms: &[Transform]) -> Config {
    let mut all = Config::new();
    for transform in transforms {
        match transform {
            Transform::OneOf { choices } => all.extend(parameters(choices)),
            leaf => all.extend(leaf.parameters()),
        }
    }
    all
}

/// Sets parameters, in every transform of the list that has a parameter of that name.
///
/// # Errors
/// Returns an error with the nearest name if no transform has such a parameter, or if the value has the wrong type.
pub(crate) fn change(transforms: &mut [Transform], table: &Config) -> Result<()> {
    // A name is unknown only if no transform of the list has it.
    overlay(&mut parameters(transforms), table)?;
    change_known(transforms, table)
}

fn change_known(transforms: &mut [Transform], table: &Config) -> Result<()> {
    for transform in transforms {
        if let Transform::OneOf { choices } = transform {
            change_known(choices, table)?;
            continue;
        }
        let own = transform.parameters();
        let mine: Config = table
            .iter()
            .filter(|(name, _)| own.contains_key(*name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        let names = mine.keys().cloned().collect::<Vec<_>>().join(", ");
        overlay(transform, &mine).map_err(|error| error.within(names))?;
    }
    Ok(())
}
