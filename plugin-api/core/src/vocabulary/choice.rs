//! A component that is chosen by name.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Config;

/// A component by name, with its parameters: `{ name = "DC_and_topk_loss", k = 10 }`, or only the name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "Written")]
pub struct ComponentChoice {
    /// Name in the registry.
    pub name: String,
    /// Parameters; others have the component's defaults.
    #[serde(flatten)]
    pub parameters: Config,
}

/// The two ways to write a choice.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    /// A name.
    Name(String),
    /// A table with the name and parameters.
    Table {
        /// Name in the registry.
        name: String,
        /// Its parameters.
        #[serde(flatten)]
        parameters: Config,
    },
}

/// An augmentation by name, with its parameters.
pub type AugmentationChoice = ComponentChoice;

impl ComponentChoice {
    /// A component with its default parameters.
    ///
    /// ```
    /// use nnunet_plugin_api::serde_json;
    /// use nnunet_plugin_api::vocabulary::ComponentChoice;
    ///
    /// let choice: ComponentChoice = serde_json::from_str(r#""DC_and_CE_loss""#).unwrap();
    /// assert_eq!(choice, ComponentChoice::named("DC_and_CE_loss"));
    ///
    /// let choice: ComponentChoice = serde_json::from_str(r#"{"name": "DC_and_topk_loss", "k": 20}"#).unwrap();
    /// assert_eq!(choice.parameters["k"], 20);
    /// ```
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), parameters: Config::new() }
    }
}

impl<'de> Deserialize<'de> for ComponentChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Name(name) => Self::named(name),
            Written::Table { name, parameters } => Self { name, parameters },
        })
    }
}
