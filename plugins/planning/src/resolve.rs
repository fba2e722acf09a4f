//! Resolves a planner's name to its settings: those of all parents are applied first.

use nnunet_plugin_core::vocabulary::Fingerprint;
use nnunet_plugin_core::{Kind, Planner, PlannerSettings, Result, parent_chain};

/// Creates a planner by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Planner>>;

/// A planner with the settings of all its parents applied.
pub struct Resolved {
    /// The settings, with the changes of all parents and of the planner itself.
    pub settings: PlannerSettings,
    /// Names of the parents, in the order in which they are applied, and of the planner.
    pub names: Vec<String>,
    /// The parents, in the order in which they are applied, and the planner.
    pub chain: Vec<Box<dyn Planner>>,
}

impl Resolved {
    /// The target spacing that the planner or its nearest parent determines, if one of them does.
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
/// Returns an error if the planner or a parent is unknown, or if the parents form a cycle.
pub fn resolve(name: &str, lookup: Lookup<'_>) -> Result<Resolved> {
    let named = parent_chain(Kind::Planner, name, lookup, |planner| planner.extends())?;
    let (names, chain): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let mut settings = PlannerSettings::default();
    for planner in &chain {
        planner.configure(&mut settings)?;
    }
    Ok(Resolved { settings, names, chain })
}
