//! Creates a component in the plugin and wraps it for the boundary.

use super::created::Created;
use super::later::LaterObject;
use super::{
    augmentation, format, logger, normalization, planner, postprocessor, preprocessor, resampler, sampler,
    schedule, splitter, transform,
};
use crate::{Config, Error, Factory, Result};

/// Makes a component and wraps it for the boundary.
///
/// # Errors
/// The error of the factory; an error for a component that this program cannot make.
pub fn create(factory: &Factory, config: &Config) -> Result<Created> {
    match factory {
        Factory::Planner(make) => Ok(Created::Planner(planner::export(make(config)?))),
        Factory::Preprocessor(make) => Ok(Created::Preprocessor(preprocessor::export(make(config)?))),
        Factory::Normalization(make) => Ok(Created::Normalization(normalization::export(make(config)?))),
        Factory::Format(make) => Ok(Created::Format(format::export(make(config)?))),
        Factory::Logger(make) => Ok(Created::Logger(logger::export(make(config)?))),
        Factory::Postprocessor(make) => Ok(Created::Postprocessor(postprocessor::export(make(config)?))),
        Factory::Augmentation(make) => Ok(Created::Augmentation(augmentation::export(make(config)?))),
        Factory::Resampler(make) => Ok(Created::Later(LaterObject::new(resampler::export(make(config)?)))),
        Factory::Sampler(make) => Ok(Created::Later(LaterObject::new(sampler::export(make(config)?)))),
        Factory::Transform(make) => Ok(Created::Later(LaterObject::new(transform::export(make(config)?)))),
        Factory::Splitter(make) => Ok(Created::Later(LaterObject::new(splitter::export(make(config)?)))),
        Factory::Schedule(make) => Ok(Created::Later(LaterObject::new(schedule::export(make(config)?)))),
        Factory::Tensors(factory) => match factory.create(config)?.downcast() {
            Ok(created) => Ok(*created),
            Err(_) => Err(Error::message("the factory makes nothing that can cross the boundary")),
        },
        Factory::DescriptionOnly => Err(Error::message("needs tensors, which this program does not have")),
    }
}
