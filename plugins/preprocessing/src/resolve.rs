//! From a preprocessor's name to its settings (the parent chain, root first) and the normalisations it needs.

use std::collections::BTreeMap;

use nnunet_plugin_core::{Kind, Normalization, Preprocessor, PreprocessorSettings, Result, parent_chain};

/// Makes the component of a name.
pub type Lookup<'a, T> = &'a dyn Fn(&str) -> Result<Box<T>>;

/// Normalisations by name.
pub type Normalizations = BTreeMap<String, Box<dyn Normalization>>;

/// A preprocessor with the settings of all its parents applied.
pub struct Resolved {
    /// What the chain of parents and the preprocessor itself say.
    pub settings: PreprocessorSettings,
    /// Names of the preprocessor and its parents, root first.
    pub names: Vec<String>,
    /// The preprocessor and its parents, root first.
    pub chain: Vec<Box<dyn Preprocessor>>,
    /// What the plans' channels are normalised with.
    pub normalizations: Normalizations,
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Resolves a preprocessor, without normalisations.
///
/// # Errors
/// An unknown preprocessor or parent, or a chain that comes back to itself.
pub fn resolve(name: &str, lookup: Lookup<'_, dyn Preprocessor>) -> Result<Resolved> {
    let named = parent_chain(Kind::Preprocessor, name, lookup, |preprocessor| preprocessor.extends())?;
    let (names, chain): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let mut settings = PreprocessorSettings::default();
    for preprocessor in &chain {
        preprocessor.configure(&mut settings)?;
    }
    Ok(Resolved { settings, names, chain, normalizations: Normalizations::new() })
}

/// Makes each of some normalisations once.
///
/// # Errors
/// An unknown name.
pub fn normalizations(names: &[String], lookup: Lookup<'_, dyn Normalization>) -> Result<Normalizations> {
    names.iter().map(|name| Ok((name.clone(), lookup(name)?))).collect()
}
