//! A component as the registry sees it: what it is called, what it says of itself, and how to make one.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Config, Planner, Postprocessor, Preprocessor, Result};

/// The kinds of components that are resolved by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Turns a fingerprint into plans.
    Planner,
    /// Resamples and normalises a case.
    Preprocessor,
    /// A network.
    Architecture,
    /// A loss of one output against one target.
    Loss,
    /// Blueprint and hooks of a training.
    Trainer,
    /// Changes a label map after prediction.
    Postprocessor,
}

impl Kind {
    /// All kinds, in the order in which data meets them.
    pub const ALL: [Kind; 6] = [
        Kind::Planner,
        Kind::Preprocessor,
        Kind::Architecture,
        Kind::Loss,
        Kind::Trainer,
        Kind::Postprocessor,
    ];

    /// The word used on the command line and in configuration files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Planner => "planner",
            Kind::Preprocessor => "preprocessor",
            Kind::Architecture => "architecture",
            Kind::Loss => "loss",
            Kind::Trainer => "trainer",
            Kind::Postprocessor => "postprocessor",
        }
    }

    /// The kind a word names, if any.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Info {
    /// Its kind.
    pub kind: Kind,
    /// The name users write. For v1's classes: the class name.
    pub name: Cow<'static, str>,
    /// One line for lists.
    pub summary: Cow<'static, str>,
    /// All parameters with their defaults.
    pub defaults: Config,
}

impl Info {
    /// A component without parameters.
    pub fn new(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        summary: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, name: name.into(), summary: summary.into(), defaults: Config::new() }
    }

    /// The same with the defaults of a parameter struct.
    #[must_use]
    pub fn with_defaults<T: Serialize>(mut self, defaults: &T) -> Self {
        if let Ok(serde_json::Value::Object(map)) = serde_json::to_value(defaults) {
            self.defaults = map;
        }
        self
    }
}

/// Makes a `T` from parameters.
pub type Make<T> = Box<dyn Fn(&Config) -> Result<Box<T>> + Send + Sync>;

/// Makes a component of its kind from parameters.
#[non_exhaustive]
pub enum Factory {
    /// Makes a planner.
    Planner(Make<dyn Planner>),
    /// Makes a preprocessor.
    Preprocessor(Make<dyn Preprocessor>),
    /// Makes a postprocessor.
    Postprocessor(Make<dyn Postprocessor>),
    /// Makes an architecture.
    #[cfg(feature = "torch")]
    Architecture(Make<dyn crate::Architecture>),
    /// Makes a loss.
    #[cfg(feature = "torch")]
    Loss(Make<dyn crate::Loss>),
    /// Makes a trainer.
    #[cfg(feature = "torch")]
    Trainer(Make<dyn crate::Trainer>),
    /// Known by name and description only: the part of the program that has tensors can make it.
    Elsewhere,
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}

/// An entry of the registry: description and factory.
#[derive(Debug)]
pub struct Component {
    /// What it says of itself.
    pub info: Info,
    /// How to make one.
    pub factory: Factory,
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $fn:ident, $kind:ident, $author:path;)*) => {
        impl Component {
            $(
                $(#[$meta])*
                pub fn $fn<F>(info: Info, make: F) -> Self
                where
                    F: Fn(&Config) -> Result<Box<dyn $author>> + Send + Sync + 'static,
                {
                    Self { info: Info { kind: Kind::$kind, ..info }, factory: Factory::$kind(Box::new(make)) }
                }
            )*
        }
    };
}

constructors! {
    /// A planner and how to make it.
    planner, Planner, Planner;
    /// A preprocessor and how to make it.
    preprocessor, Preprocessor, Preprocessor;
    /// A postprocessor and how to make it.
    postprocessor, Postprocessor, Postprocessor;
    /// An architecture and how to make it.
    #[cfg(feature = "torch")]
    architecture, Architecture, crate::Architecture;
    /// A loss and how to make it.
    #[cfg(feature = "torch")]
    loss, Loss, crate::Loss;
    /// A trainer and how to make it.
    #[cfg(feature = "torch")]
    trainer, Trainer, crate::Trainer;
}

/// One entry of the image's component list. Submit one with [`inventory::submit!`]:
///
/// ```
/// # use nnunet_plugin_api::*;
/// # struct Keep;
/// # impl Postprocessor for Keep {
/// #     fn apply(&self, labels: &mut LabelVolume) -> Result<()> { Ok(()) }
/// # }
/// inventory::submit! {
///     Registration(|| Component::postprocessor(
///         Info::new(Kind::Postprocessor, "Keep", "Leaves the labels as they are."),
///         |_config| Ok(Box::new(Keep)),
///     ))
/// }
/// ```
#[derive(Debug)]
pub struct Registration(
    /// Builds the entry.
    pub fn() -> Component,
);

inventory::collect!(Registration);
