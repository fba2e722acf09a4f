//! From a preprocessor's name to its settings: the parent chain, root first.

use nnunet_plugin_api::{Error, Preprocessor, PreprocessorSettings, Result};

/// Makes the preprocessor of a name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Preprocessor>>;

/// A preprocessor with the settings of all its parents applied.
pub struct Resolved {
    /// What the chain of parents and the preprocessor itself say.
    pub settings: PreprocessorSettings,
    /// The preprocessor's own hooks.
    pub hooks: Box<dyn Preprocessor>,
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
    let hooks = lookup(name)?;
    let mut seen = vec![name.to_owned()];
    let mut chain = Vec::new();
    let mut parent = hooks.extends();
    while !parent.is_empty() {
        if seen.contains(&parent) {
            return Err(Error::message(format!(
                "preprocessor {name} extends itself: {} -> {parent}",
                seen.join(" -> ")
            )));
        }
        let preprocessor = lookup(&parent)?;
        seen.push(std::mem::replace(&mut parent, preprocessor.extends()));
        chain.push(preprocessor);
    }
    let mut settings = PreprocessorSettings::default();
    for preprocessor in chain.iter().rev() {
        preprocessor.configure(&mut settings)?;
    }
    hooks.configure(&mut settings)?;
    Ok(Resolved { settings, hooks })
}
