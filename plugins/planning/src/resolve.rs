//! From a planner's name to its settings: the parent chain, root first.

use nnunet_plugin_core::vocabulary::Fingerprint;
use nnunet_plugin_core::{Kind, Planner, PlannerSettings, Result, parent_chain};

/// Makes the planner of a name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Planner>>;

/// A planner with the settings of all its parents applied.
pub struct Resolved {
    /// What the chain of parents and the planner itself say.
    pub settings: PlannerSettings,
    /// Names of the planner and its parents, root first.
    pub names: Vec<String>,
    /// The planner and its parents, root first.
    pub chain: Vec<Box<dyn Planner>>,
}

impl Resolved {
    /// The target spacing of the planner itself or its nearest parent that has one.
    pub(crate) fn target_spacing(&self, fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
        for planner in self.chain.iter().rev() {
            if let Some(spacing) = planner.target_spacing(fingerprint)? {
                return Ok(Some(spacing));
            }
        }
        Ok(None)
    }
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
    let named = parent_chain(Kind::Planner, name, lookup, |planner| planner.extends())?;
    let (names, chain): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let mut settings = PlannerSettings::default();
    for planner in &chain {
        planner.configure(&mut settings)?;
    }
    Ok(Resolved { settings, names, chain })
}
