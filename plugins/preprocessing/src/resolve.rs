//! Resolves a preprocessor's name to its settings (those of all parents are applied first) and the normalizations it
//! needs.

use std::collections::BTreeMap;

use nnunet_plugin_core::vocabulary::ComponentChoice;
use nnunet_plugin_core::{
    Kind, Normalization, Preprocessor, PreprocessorSettings, Resampler, Result, parent_chain,
};

/// Creates a component by name.
pub type Lookup<'a, T> = &'a dyn Fn(&str) -> Result<Box<T>>;

/// Normalizations by name.
pub type Normalizations = BTreeMap<String, Box<dyn Normalization>>;

/// A preprocessor with the settings of all its parents applied.
pub struct Resolved {
    /// The settings, with the changes of all parents and of the preprocessor itself.
    pub settings: PreprocessorSettings,
    /// Names of the parents, in the order in which they are applied, and of the preprocessor.
    pub names: Vec<String>,
    /// The parents, in the order in which they are applied, and the preprocessor.
    pub chain: Vec<Box<dyn Preprocessor>>,
    /// Normalizations of the plans' channels, by name.
    pub normalizations: Normalizations,
    /// The resampler that the settings name.
    pub resampler: Option<Box<dyn Resampler>>,
}

impl Resolved {
    /// Whether every case keeps its spacing.
    #[must_use]
    pub fn keeps_spacing(&self) -> bool {
        self.settings.keep_spacing || self.resampler.as_ref().is_some_and(|resampler| resampler.keeps_grid())
    }
}

/// What resamples the images and labels of a configuration of v2.
pub struct Resamplers {
    /// Of images.
    pub data: Box<dyn Resampler>,
    /// Of labels.
    pub labels: Box<dyn Resampler>,
    /// The components of both, with all their parameters.
    pub choices: [ComponentChoice; 2],
}

impl std::fmt::Debug for Resamplers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resamplers").field("choices", &self.choices).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Resolves a preprocessor, without normalizations.
///
/// # Errors
/// Returns an error if the preprocessor or a parent is unknown, or if the parents form a cycle.
pub fn resolve(name: &str, lookup: Lookup<'_, dyn Preprocessor>) -> Result<Resolved> {
    let named = parent_chain(Kind::Preprocessor, name, lookup, |preprocessor| preprocessor.extends())?;
    let (names, chain): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let mut settings = PreprocessorSettings::default();
    for preprocessor in &chain {
        preprocessor.configure(&mut settings)?;
    }
    Ok(Resolved { settings, names, chain, normalizations: Normalizations::new(), resampler: None })
}

/// Creates each of the named normalizations once.
///
/// # Errors
/// Returns an error if a name is unknown.
pub fn normalizations(names: &[String], lookup: Lookup<'_, dyn Normalization>) -> Result<Normalizations> {
    names.iter().map(|name| Ok((name.clone(), lookup(name)?))).collect()
}
