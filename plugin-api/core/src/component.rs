//! A component as an entry of the registry: its description, and how to create one.

use std::fmt;

use crate::{
    Augmentation, Config, ExperimentLogger, ImageFormat, Info, Kind, Make, Normalization, Planner,
    Postprocessor, Preprocessor, Result, TensorFactory,
};

/// Makes a component of its kind from parameters.
#[non_exhaustive]
pub enum Factory {
    /// Makes a planner.
    Planner(Make<dyn Planner>),
    /// Makes a preprocessor.
    Preprocessor(Make<dyn Preprocessor>),
    /// Makes a normalization.
    Normalization(Make<dyn Normalization>),
    /// Makes an image format.
    Format(Make<dyn ImageFormat>),
    /// Makes an experiment logger.
    Logger(Make<dyn ExperimentLogger>),
    /// Makes a postprocessor.
    Postprocessor(Make<dyn Postprocessor>),
    /// Makes an augmentation.
    Augmentation(Make<dyn Augmentation>),
    /// Makes an architecture, a loss or a trainer; nnunet-plugin-torch looks inside.
    Tensors(TensorFactory),
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
    /// Name, kind, description and parameters.
    pub info: Info,
    /// How to create one.
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
    /// A normalization and how to make it.
    normalization, Normalization, Normalization;
    /// An image format and how to make it; say what it reads and writes with [`Info::reads`] and [`Info::writes`].
    format, Format, ImageFormat;
    /// An experiment logger and how to make it.
    logger, Logger, ExperimentLogger;
    /// A postprocessor and how to make it.
    postprocessor, Postprocessor, Postprocessor;
    /// An augmentation and how to make it.
    augmentation, Augmentation, Augmentation;
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
