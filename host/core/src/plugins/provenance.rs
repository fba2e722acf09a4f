//! Which plugins a model was made with: kept with it, and compared when it is used.

use anyhow::{Result, bail};
use nnunet_plugin_api::Kind;
use serde::{Deserialize, Serialize};

use super::Plugin;
use crate::config::World;
use crate::report;

/// A plugin that had a part in a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maker {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hash of its file.
    pub sha256: String,
    /// What was used of it: kind and name.
    pub components: Vec<(Kind, String)>,
}

/// The plugins behind the components a model is made from.
#[must_use]
pub fn makers(world: &World, used: &[(Kind, &str)]) -> Vec<Maker> {
    let mut makers: Vec<Maker> = Vec::new();
    for (kind, name) in used {
        let Ok(entry) = world.registry.find(*kind, name) else { continue };
        let Some(plugin) = entry.origin.library().and_then(|_| world.plugin(&entry.plugin)) else { continue };
        let component = (*kind, entry.component.info.name.to_string());
        match makers.iter_mut().find(|maker| maker.name == plugin.about.name) {
            Some(maker) => maker.components.push(component),
            None => makers.push(Maker::of(plugin, component)),
        }
    }
    makers
}

/// Compares what a model was made with to what there is now. `needed` are the kinds that take part in this use. Another
/// version or file is a warning.
///
/// # Errors
/// A plugin that is needed and not there.
pub fn compare(makers: &[Maker], world: &World, needed: &[Kind]) -> Result<()> {
    for maker in makers.iter().filter(|maker| maker.components.iter().any(|(kind, _)| needed.contains(kind)))
    {
        match world.plugin(&maker.name) {
            None => bail!(
                "the model was made with plugin {maker}, which is not there; name its file with --plugin, list it in \
                 [plugins] of nnunet.toml, or run nnunet plugins install"
            ),
            Some(now) if now.sha256 != maker.sha256 => report::warning(&format!(
                "the model was made with plugin {maker}; now it is version {} with sha256 {} ({})",
                now.about.version,
                now.sha256,
                now.path.display()
            )),
            Some(_) => {}
        }
    }
    Ok(())
}

impl Maker {
    fn of(plugin: &Plugin, component: (Kind, String)) -> Self {
        Self {
            name: plugin.about.name.clone(),
            version: plugin.about.version.clone(),
            sha256: plugin.sha256.clone(),
            components: vec![component],
        }
    }
}

impl std::fmt::Display for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let used: Vec<String> = self.components.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        write!(f, "{} {} ({}; sha256 {})", self.name, self.version, used.join(", "), self.sha256)
    }
}
