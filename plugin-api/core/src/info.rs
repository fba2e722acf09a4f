//! What a component says of itself: the source of `plugins list`, `plugins inspect` and the reference pages.

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
    /// The name users write. For v1's classes: the class name.
    pub name: Cow<'static, str>,
    /// One line for lists.
    pub summary: Cow<'static, str>,
    /// Markdown for its page: what it does, when to take it, where it comes from.
    #[serde(default)]
    pub description: Cow<'static, str>,
    /// All parameters with their defaults.
    #[serde(default)]
    pub defaults: Config,
    /// JSON Schema of the parameters; `null` when the component has not said.
    #[serde(default)]
    pub schema: Value,
    /// How it is used, in TOML as written in `nnunet.toml`.
    #[serde(default)]
    pub example: Cow<'static, str>,
    /// What it can do besides its kind's basics, as words both sides know.
    #[serde(default)]
    pub capabilities: Vec<Cow<'static, str>>,
}

impl Info {
    /// A component without parameters.
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

    /// The same with a long text, in Markdown.
    #[must_use]
    pub fn describe(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        self.description = description.into();
        self
    }

    /// The same with the defaults of a parameter struct, without types and ranges.
    #[must_use]
    pub fn with_defaults<T: Serialize>(mut self, defaults: &T) -> Self {
        if let Ok(Value::Object(map)) = serde_json::to_value(defaults) {
            self.defaults = map;
        }
        self
    }

    /// The same with the parameters of a struct: names, types and ranges from its schema, texts from its comments,
    /// defaults from [`Default`].
    #[must_use]
    pub fn with_config<T: Serialize + Default + JsonSchema>(self) -> Self {
        let mut info = self.with_defaults(&T::default());
        info.schema = schema::of::<T>();
        info
    }

    /// The same with an example in TOML.
    #[must_use]
    pub fn with_example(mut self, toml: impl Into<Cow<'static, str>>) -> Self {
        self.example = toml.into();
        self
    }

    /// The same with one more capability.
    #[must_use]
    pub fn with_capability(mut self, word: impl Into<Cow<'static, str>>) -> Self {
        self.capabilities.push(word.into());
        self
    }

    /// Whether it has a capability.
    #[must_use]
    pub fn can(&self, word: &str) -> bool {
        self.capabilities.iter().any(|known| known == word)
    }

    /// All parameters as rows for people.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        schema::parameters(&self.schema, &self.defaults)
    }
}
