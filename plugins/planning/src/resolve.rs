//! From a planner's name to its settings: the parent chain, root first.

use nnunet_plugin_api::{Error, Planner, PlannerSettings, Result};

/// Makes the planner of a name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Planner>>;

/// A planner with the settings of all its parents applied.
pub struct Resolved {
    /// What the chain of parents and the planner itself say.
    pub settings: PlannerSettings,
    /// The planner's own hooks.
    pub hooks: Box<dyn Planner>,
}

impl std::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolved").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Resolves a planner.
///
/// # Errors
/// An unknown planner or parent, or a chain that comes back to itself.
pub fn resolve(name: &str, lookup: Lookup<'_>) -> Result<Resolved> {
    let hooks = lookup(name)?;
    let mut seen = vec![name.to_owned()];
    let mut chain = Vec::new();
    let mut parent = hooks.extends();
    while !parent.is_empty() {
        if seen.contains(&parent) {
            return Err(Error::message(format!(
                "planner {name} extends itself: {} -> {parent}",
                seen.join(" -> ")
            )));
        }
        let planner = lookup(&parent)?;
        seen.push(std::mem::replace(&mut parent, planner.extends()));
        chain.push(planner);
    }
    let mut settings = PlannerSettings::default();
    for planner in chain.iter().rev() {
        planner.configure(&mut settings)?;
    }
    hooks.configure(&mut settings)?;
    Ok(Resolved { settings, hooks })
}
