//! Components as entries of the registry: description and factory.

use std::fmt;

use crate::{
    Augmentation, Config, ExperimentLogger, ImageFormat, Info, Kind, Make, Normalization, Planner,
    Postprocessor, Preprocessor, Resampler, Result, Sampler, Schedule, Splitter, TensorFactory, Transform,
};

/// Creates a component of one kind from its parameters.
#[non_exhaustive]
pub enum Factory {
    /// Creates a planner.
    Planner(Make<dyn Planner>),
    /// Creates a preprocessor.
    Preprocessor(Make<dyn Preprocessor>),
    /// Creates a normalization.
    Normalization(Make<dyn Normalization>),
    /// Creates a resampler.
    Resampler(Make<dyn Resampler>),
    /// Creates a splitter.
    Splitter(Make<dyn Splitter>),
    /// Creates a sampler.
    Sampler(Make<dyn Sampler>),
    /// Creates a schedule.
    Schedule(Make<dyn Schedule>),
    /// Creates an image format.
    Format(Make<dyn ImageFormat>),
    /// Creates an experiment logger.
    Logger(Make<dyn ExperimentLogger>),
    /// Creates a postprocessor.
    Postprocessor(Make<dyn Postprocessor>),
    /// Creates a transform.
    Transform(Make<dyn Transform>),
    /// Creates an augmentation.
    Augmentation(Make<dyn Augmentation>),
    /// Creates an architecture, a loss or a trainer; nnunet-plugin-torch knows the types.
    Tensors(TensorFactory),
    /// The description of a component that this program cannot make: it needs tensors, and the program has no libtorch.
    DescriptionOnly,
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Factory")
    }
}

/// An entry of the registry: description and factory.
///
/// ```
/// use nnunet_plugin_api::{Component, Config, Factory, Info, Kind, LabelVolume, Postprocessor, Result};
///
/// struct Keep;
/// impl Postprocessor for Keep {
///     fn apply(&self, _labels: &mut LabelVolume) -> Result<()> { Ok(()) }
/// }
///
/// let info = Info::new(Kind::Postprocessor, "Keep", "Leaves the labels as they are.");
/// let component = Component::postprocessor(info, |_config| Ok(Box::new(Keep)));
/// assert_eq!(component.info.kind, Kind::Postprocessor);
/// let Factory::Postprocessor(make) = &component.factory else { panic!("another kind") };
/// assert!(make(&Config::new()).is_ok());
/// ```
#[derive(Debug)]
pub struct Component {
    /// Name, kind, description and parameters.
    pub info: Info,
    /// Creates the component.
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
    /// A planner. `make` creates it from its parameters.
    planner, Planner, Planner;
    /// A preprocessor. `make` creates it from its parameters.
    preprocessor, Preprocessor, Preprocessor;
    /// A normalization. `make` creates it from its parameters.
    normalization, Normalization, Normalization;
    /// A resampler. `make` creates it from its parameters.
    resampler, Resampler, Resampler;
    /// A splitter. `make` creates it from its parameters.
    splitter, Splitter, Splitter;
    /// A sampler. `make` creates it from its parameters.
    sampler, Sampler, Sampler;
    /// A schedule of the learning rate. `make` creates it from its parameters.
    schedule, Schedule, Schedule;
    /// An image format. `make` creates it from its parameters; name the file endings it reads and writes with
    /// [`Info::reads`] and [`Info::writes`].
    format, Format, ImageFormat;
    /// An experiment logger. `make` creates it from its parameters.
    logger, Logger, ExperimentLogger;
    /// A postprocessor. `make` creates it from its parameters.
    postprocessor, Postprocessor, Postprocessor;
    /// A transform. `make` creates it from its parameters.
    transform, Transform, Transform;
    /// An augmentation. `make` creates it from its parameters.
    augmentation, Augmentation, Augmentation;
}

/// Registers a component. Every program or plugin that links the crate finds the component in its registry. Submit
/// one with [`inventory::submit!`]:
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
