//! Descriptions of components: the source of `plugins list`, `plugins inspect` and the reference pages.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::{self, Parameter};
use crate::{Config, Kind};

/// A component's description. Everything but kind, name and summary may be left out.
///
/// ```
/// # use nnunet_plugin_api::*;
/// #[derive(serde::Serialize, schemars::JsonSchema)]
/// struct Settings {
///     /// Smaller components are removed, mm3.
///     #[schemars(range(min = 0.0))]
///     mm3: f64,
/// }
/// # impl Default for Settings { fn default() -> Self { Self { mm3: 10.0 } } }
/// let info = Info::new(Kind::Postprocessor, "Sieve", "Removes small components.")
///     .describe("Components are 26-connected and looked at class by class.")
///     .with_config::<Settings>()
///     .with_example("[postprocessors.Sieve]\nmm3 = 50.0");
/// let parameter = &info.parameters()[0];
/// assert_eq!((&*parameter.name, &*parameter.kind, &*parameter.range), ("mm3", "number", ">= 0.0"));
/// assert_eq!(parameter.default, 10.0);
/// assert_eq!(parameter.doc, "Smaller components are removed, mm3.");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Info {
    /// Its kind.
    pub kind: Kind,
    /// The name that users write. For components of nnU-Net: the name of the Python class.
    pub name: Cow<'static, str>,
    /// One line for lists.
    pub summary: Cow<'static, str>,
    /// Markdown for its reference page: what it does, when to use it, its source.
    #[serde(default)]
    pub description: Cow<'static, str>,
    /// All parameters with their defaults.
    #[serde(default)]
    pub defaults: Config,
    /// JSON Schema of the parameters; `null` if it is not known.
    #[serde(default)]
    pub schema: Value,
    /// An example of its use: TOML as in `nnunet.toml`.
    #[serde(default)]
    pub example: Cow<'static, str>,
    /// Optional features of the component, by names that host and plugin agree on.
    #[serde(default)]
    pub capabilities: Vec<Cow<'static, str>>,
}

impl Info {
    /// A description without text and parameters.
    pub fn new(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        summary: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            summary: summary.into(),
            description: Cow::Borrowed(""),
            defaults: Config::new(),
            schema: Value::Null,
            example: Cow::Borrowed(""),
            capabilities: Vec::new(),
        }
    }

    /// Sets the description, in Markdown.
    #[must_use]
    pub fn describe(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the defaults of the parameters from a struct, without types and ranges.
    ///
    /// ```
    /// use nnunet_plugin_api::{Info, Kind, serde};
    ///
    /// #[derive(serde::Serialize)]
    /// #[serde(crate = "nnunet_plugin_api::serde")]
    /// struct Settings { sigma: f64 }
    ///
    /// let info = Info::new(Kind::Normalization, "Smooth", "Blurs and scales.").with_defaults(&Settings { sigma: 1.0 });
    /// assert_eq!(info.defaults["sigma"], 1.0);
    /// ```
    #[must_use]
    pub fn with_defaults<T: Serialize>(mut self, defaults: &T) -> Self {
        if let Ok(Value::Object(map)) = serde_json::to_value(defaults) {
            self.defaults = map;
        }
        self
    }

    /// Sets the parameters from a struct: names, types and ranges from its schema, texts from its doc comments,
    /// defaults from its [`Default`].
    #[must_use]
    pub fn with_config<T: Serialize + Default + JsonSchema>(self) -> Self {
        let mut info = self.with_defaults(&T::default());
        info.schema = schema::of::<T>();
        info
    }

    /// Sets the example, in TOML.
    #[must_use]
    pub fn with_example(mut self, toml: impl Into<Cow<'static, str>>) -> Self {
        self.example = toml.into();
        self
    }

    /// Adds a capability.
    #[must_use]
    pub fn with_capability(mut self, word: impl Into<Cow<'static, str>>) -> Self {
        self.capabilities.push(word.into());
        self
    }

    /// Whether the component has a capability.
    ///
    /// ```
    /// use nnunet_plugin_api::{Info, Kind};
    ///
    /// let info = Info::new(Kind::Format, "Minc", "MINC images.").with_capability("reads .mnc");
    /// assert!(info.can("reads .mnc") && !info.can("writes .mnc"));
    /// ```
    #[must_use]
    pub fn can(&self, word: &str) -> bool {
        self.capabilities.iter().any(|known| known == word)
    }

    /// All parameters, as shown by `plugins inspect` and in the reference.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        schema::parameters(&self.schema, &self.defaults)
    }
}
