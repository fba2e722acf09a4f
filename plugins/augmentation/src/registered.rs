//! A transform of the registry in a list.

use std::fmt;
use std::sync::Arc;

use nnunet_plugin_core::{AugmentationContext, Config, RandomStream, Result, Sample, Transform, host};

/// A registered transform with its parameters.
#[derive(Clone)]
pub struct Registered {
    name: String,
    parameters: Config,
    transform: Arc<dyn Transform>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.parameters)
    }
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.parameters) == (&other.name, &other.parameters)
    }
}

impl Registered {
    /// Makes a transform of the registry.
    ///
    /// # Errors
    /// Returns an error if there is none of this name, or if the parameters do not fit.
    pub(crate) fn new(name: &str, parameters: Config) -> Result<Self> {
        let transform = host::transform(name, &parameters)?.into();
        Ok(Self { name: name.to_owned(), parameters, transform })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn transform(&self) -> &dyn Transform {
        &*self.transform
    }

    /// Replaces the sample.
    ///
    /// # Errors
    /// Returns the error of the transform.
    pub(crate) fn apply(
        &self,
        sample: &mut Sample,
        context: &AugmentationContext,
        random: &mut RandomStream,
    ) -> Result<()> {
        let given = Sample { data: std::mem::take(&mut sample.data), seg: std::mem::take(&mut sample.seg) };
        *sample = self.transform.apply(given, context, random)?;
        Ok(())
    }
}
