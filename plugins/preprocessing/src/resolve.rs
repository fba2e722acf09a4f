//! From a preprocessor's name to its settings: the parent chain, root first.

use nnunet_plugin_api::{Error, Preprocessor, PreprocessorSettings, Result};

/// Makes the preprocessor of a name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Preprocessor>>;

/// A preprocessor with the settings of all its parents applied.
pub struct Resolved {
    /// What the chain of parents and the preprocessor itself say.
    pub settings: PreprocessorSettings,
    /// The preprocessor and its parents, root first.
    pub chain: Vec<Box<dyn Preprocessor>>,
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Resolves a preprocessor.
///
/// # Errors
/// An unknown preprocessor or parent, or a chain that comes back to itself.
pub fn resolve(name: &str, lookup: Lookup<'_>) -> Result<Resolved> {
    let mut chain = vec![lookup(name)?];
    let mut seen = vec![name.to_owned()];
    loop {
        let parent = chain[chain.len() - 1].extends();
        if parent.is_empty() {
            break;
        }
        if seen.contains(&parent) {
            return Err(Error::message(format!(
                "preprocessor {name} extends itself: {} -> {parent}",
                seen.join(" -> ")
            )));
        }
        chain.push(lookup(&parent)?);
        seen.push(parent);
    }
    chain.reverse();
    let mut settings = PreprocessorSettings::default();
    for preprocessor in &chain {
        preprocessor.configure(&mut settings)?;
    }
    Ok(Resolved { settings, chain })
}
