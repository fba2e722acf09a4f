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

/// Key that tells transforms apart in a list.
const TAG: &str = "transform";

macro_rules! transforms {
    ($($(#[$doc:meta])* $kind:ident;)*) => {
        /// One step of an augmentation. No two kinds of transforms share the name of a parameter, unless it means the
        /// same.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "transform", rename_all = "snake_case")]
        pub enum Transform {
            $($(#[$doc])* $kind($kind),)*
            /// One of several, with equal chance.
            OneOf {
                /// The choices.
                choices: Vec<Transform>,
            },
        }

        impl Transform {
            /// Draws and changes.
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

            /// JSON Schema of its parameters; of a choice that of all choices.
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
    /// Quarter turns.
    Rot90;
    /// Exchanged axes.
    Transpose;
    /// Mirroring.
    Mirror;
    /// Normal noise.
    Noise;
    /// Gaussian blur.
    Blur;
    /// Median filter.
    Median;
    /// A factor.
    Brightness;
    /// A summand.
    AdditiveBrightness;
    /// Contrast.
    Contrast;
    /// Low resolution.
    LowResolution;
    /// Gamma of the negative.
    InvertedGamma;
    /// Gamma.
    Gamma;
    /// Blank boxes.
    Rectangles;
    /// A wide hump of brightness.
    BrightnessGradient;
    /// Gamma in a part of the image.
    LocalGamma;
    /// Sharpening.
    Sharpening;
    /// The previous stage's labels, in a cascade.
    Cascade;
}

impl Transform {
    /// Its parameters by name; none of a choice.
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

/// All parameters of a list by name. Of several transforms of one kind the last counts.
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

/// Gives parameters new values: in every transform of the list that has one of that name.
///
/// # Errors
/// A name that no transform has (the nearest one is offered), or a value of the wrong type.
pub(crate) fn change(transforms: &mut [Transform], table: &Config) -> Result<()> {
    // Unknown names show against all parameters together.
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
