//! Components by name, made from their parameters.

use anyhow::Result;
use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{
    Config, ExperimentLogger, Factory, ImageFormat, Kind, Normalization, Planner, Postprocessor,
    Preprocessor, Resampler, Schedule, Splitter,
};

use super::Registry;

macro_rules! made {
    ($registry:expr, $kind:ident, $name:expr, $config:expr) => {
        match &$registry.find(Kind::$kind, $name)?.component.factory {
            Factory::$kind(make) => Ok(make($config)?),
            _ => Err($registry.unknown(Kind::$kind, $name)),
        }
    };
}

impl Registry {
    /// Makes a planner.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn planner(&self, name: &str) -> Result<Box<dyn Planner>> {
        made!(self, Planner, name, &Config::new())
    }

    /// Makes a preprocessor.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn preprocessor(&self, name: &str) -> Result<Box<dyn Preprocessor>> {
        made!(self, Preprocessor, name, &Config::new())
    }

    /// Makes a normalization.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn normalization(&self, name: &str) -> Result<Box<dyn Normalization>> {
        made!(self, Normalization, name, &Config::new())
    }

    /// Makes a resampler.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn resampler(&self, choice: &ComponentChoice) -> Result<Box<dyn Resampler>> {
        let (_, choice) = self.expand(Kind::Resampler, choice)?;
        made!(self, Resampler, &choice.name, &choice.parameters)
    }

    /// Makes a splitter.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn splitter(&self, choice: &ComponentChoice) -> Result<Box<dyn Splitter>> {
        let (_, choice) = self.expand(Kind::Splitter, choice)?;
        made!(self, Splitter, &choice.name, &choice.parameters)
    }

    /// Makes a schedule of the learning rate.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn schedule(&self, choice: &ComponentChoice) -> Result<Box<dyn Schedule>> {
        let (_, choice) = self.expand(Kind::Schedule, choice)?;
        made!(self, Schedule, &choice.name, &choice.parameters)
    }

    /// Makes an image format.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn format(&self, name: &str) -> Result<Box<dyn ImageFormat>> {
        made!(self, Format, name, &Config::new())
    }

    /// Makes an experiment logger.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn logger(&self, name: &str, config: &Config) -> Result<Box<dyn ExperimentLogger>> {
        made!(self, Logger, name, config)
    }

    /// Makes a postprocessor.
    ///
    /// # Errors
    /// As [`Registry::find`]; the error of the factory.
    pub fn postprocessor(&self, choice: &ComponentChoice) -> Result<Box<dyn Postprocessor>> {
        let (_, choice) = self.expand(Kind::Postprocessor, choice)?;
        made!(self, Postprocessor, &choice.name, &choice.parameters)
    }
}
