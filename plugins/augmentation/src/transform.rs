//! A transform with its parameters, in lists and as a component.

use nnunet_plugin_core::{
    AugmentationContext, Component, Config, Info, Kind, RandomStream, Registration, Result, Sample,
    inventory, parse_config, schema,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::axes::{Mirror, Rot90, Transpose};
use crate::brightness::{AdditiveBrightness, Brightness, Contrast, Gamma, InvertedGamma};
use crate::cascade::Cascade;
use crate::local::{BrightnessGradient, LocalGamma, Rectangles, Sharpening};
use crate::lowres::LowResolution;
use crate::noise::{Blur, Median, Noise};
use crate::registered::Registered;
use crate::spatial::Spatial;
use crate::v2::{AxisBlur, LinearLowResolution, LinearSpatial, PreviousStage};

/// Key with the name of a transform in a list; `name` is the same.
pub(crate) const TAG: &str = "transform";

macro_rules! transforms {
    ($($(#[doc = $doc:literal])* $kind:ident;)*) => {
        /// One step of an augmentation. Parameters of different transforms that share a name have the same meaning.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "transform", rename_all = "snake_case")]
        pub enum Transform {
            $($(#[doc = $doc])* $kind($kind),)*
            /// One of several transforms, with equal probability.
            OneOf {
                /// The transforms to choose from.
                choices: Vec<Transform>,
            },
            /// A registered transform of another crate, such as a plugin's.
            #[serde(skip)]
            Other(Registered),
        }

        impl Transform {
            /// Draws parameters and applies the transform.
            pub(crate) fn apply(
                &self,
                sample: &mut Sample,
                context: &AugmentationContext,
                random: &mut RandomStream,
            ) -> Result<()> {
                match self {
                    $(Transform::$kind(it) => it.apply(sample, context, random),)*
                    Transform::OneOf { choices } => {
                        if let Some(choice) = choices.get(random.below(choices.len())) {
                            choice.apply(sample, context, random)?;
                        }
                    }
                    Transform::Other(other) => other.apply(sample, context, random)?,
                }
                Ok(())
            }

            /// JSON Schema of its parameters; for `OneOf`, of all its transforms.
            fn schema(&self) -> Value {
                match self {
                    $(Transform::$kind(_) => schema::of::<$kind>(),)*
                    Transform::OneOf { choices } => schema_of(choices),
                    Transform::Other(_) => Value::Null,
                }
            }

            /// The built-in transform of a name with its default parameters, for all names but `one_of`.
            pub(crate) fn built_in(name: &str) -> Option<Transform> {
                let all = [$(Transform::$kind($kind::default())),*];
                all.into_iter().find(|transform| transform.name() == name)
            }
        }

        $(inventory::submit!(Registration(|| component(concat!($($doc),*), Transform::$kind)));)*
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

/// The entry of the registry for a built-in transform.
fn component<K>(summary: &'static str, wrap: fn(K) -> Transform) -> Component
where
    K: Default + Serialize + DeserializeOwned + JsonSchema + 'static,
{
    let info = Info::new(Kind::Transform, wrap(K::default()).name(), summary.trim()).with_config::<K>();
    Component::transform(info, move |config| Ok(Box::new(AsComponent(wrap(parse_config::<K>(config)?)))))
}

/// A built-in transform as others are.
pub(crate) struct AsComponent(pub(crate) Transform);

impl nnunet_plugin_core::Transform for AsComponent {
    fn generator_patch(&self, context: &AugmentationContext) -> Result<Option<Vec<usize>>> {
        self.0.generator_patch(context)
    }

    fn crop(&self, context: &AugmentationContext, random: &RandomStream) -> Result<Option<Vec<usize>>> {
        self.0.crop(context, random)
    }

    fn apply(
        &self,
        mut sample: Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<Sample> {
        self.0.apply(&mut sample, context, random)?;
        Ok(sample)
    }
}

impl Transform {
    /// Its name in lists.
    pub(crate) fn name(&self) -> String {
        match self {
            Transform::Other(other) => other.name().to_owned(),
            other => match serde_json::to_value(other) {
                Ok(value) => value[TAG].as_str().unwrap_or_default().to_owned(),
                Err(_) => String::new(),
            },
        }
    }

    /// Its parameters by name; empty for `OneOf` and transforms of other crates.
    pub(crate) fn parameters(&self) -> Config {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut map)) if !matches!(self, Transform::OneOf { .. }) => {
                map.remove(TAG);
                map
            }
            _ => Config::new(),
        }
    }

    /// See [`nnunet_plugin_core::Transform::generator_patch`].
    pub(crate) fn generator_patch(&self, context: &AugmentationContext) -> Result<Option<Vec<usize>>> {
        match self {
            Transform::Spatial(spatial) => Ok(Some(spatial.generator_patch(context))),
            Transform::LinearSpatial(spatial) => Ok(Some(spatial.generator_patch(context))),
            Transform::Other(other) => other.transform().generator_patch(context),
            _ => Ok(None),
        }
    }

    /// See [`nnunet_plugin_core::Transform::crop`].
    pub(crate) fn crop(
        &self,
        context: &AugmentationContext,
        random: &RandomStream,
    ) -> Result<Option<Vec<usize>>> {
        match self {
            Transform::Spatial(spatial) => Ok(Some(spatial.crop(context, random))),
            Transform::LinearSpatial(spatial) => Ok(Some(spatial.crop(context, random))),
            Transform::Other(other) => other.transform().crop(context, random),
            _ => Ok(None),
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
