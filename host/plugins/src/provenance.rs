//! Which plugins plans, data and models were made with. This is recorded beside them and compared with the plugins at
//! hand when they are used.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_formats::atomic;
use nnunet_plugin_core::Kind;
use serde::{Deserialize, Serialize};

use crate::plugin::Plugin;
use crate::session::Session;

/// A plugin whose components were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginUse {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hash of its file.
    pub sha256: String,
    /// The components that were used: kind and name.
    pub components: Vec<(Kind, String)>,
}

/// The plugins that components come from.
#[must_use]
pub fn plugins_used<S: AsRef<str>>(
    session: &Session,
    used: impl IntoIterator<Item = (Kind, S)>,
) -> Vec<PluginUse> {
    let made = used.into_iter().filter_map(|(kind, name)| {
        let entry = session.registry.find(kind, name.as_ref()).ok()?;
        let plugin = entry.origin.library().and_then(|_| session.plugin(&entry.plugin))?;
        Some(PluginUse::of(plugin, (kind, entry.component.info.name.to_string())))
    });
    join(Vec::new(), made)
}

/// Adds later uses to earlier ones. For a component in both, the earlier use is kept.
#[must_use]
pub fn join(mut first: Vec<PluginUse>, then: impl IntoIterator<Item = PluginUse>) -> Vec<PluginUse> {
    for mut plugin_use in then {
        plugin_use
            .components
            .retain(|component| !first.iter().any(|other| other.components.contains(component)));
        let same =
            first.iter_mut().find(|other| other.name == plugin_use.name && other.sha256 == plugin_use.sha256);
        match same {
            Some(same) => same.components.extend(plugin_use.components),
            None if plugin_use.components.is_empty() => {}
            None => first.push(plugin_use),
        }
    }
    first
}

/// Writes the plugins that plans and their data were made with to `NAME.plugins.json` beside `NAME.pkl`. If there are
/// none, there is no such file.
///
/// # Errors
/// Returns an I/O error if the file cannot be written or removed.
pub fn save_beside(plans: &Path, uses: &[PluginUse]) -> Result<()> {
    let file = beside(plans);
    if !uses.is_empty() {
        return Ok(atomic::write_bytes(&file, &serde_json::to_vec_pretty(uses)?)?);
    }
    if file.is_file() {
        std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Reads the plugins that plans and their data were made with.
///
/// # Errors
/// Returns an error if the file cannot be read or is damaged.
pub fn load_beside(plans: &Path) -> Result<Vec<PluginUse>> {
    let file = beside(plans);
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let shown = || file.display().to_string();
    serde_json::from_str(&nnunet_formats::input::read_text(&file)?).with_context(shown)
}

fn beside(plans: &Path) -> PathBuf {
    plans.with_extension("plugins.json")
}

/// Compares the plugins something was made with (`what`, such as `the model was`) with the loaded plugins. Only plugins
/// with a component of one of `kinds` are compared. A different version or file causes a warning.
///
/// # Errors
/// Returns an error if a plugin is not loaded.
pub fn require(what: &str, uses: &[PluginUse], session: &Session, kinds: &[Kind]) -> Result<()> {
    let takes_part =
        |plugin_use: &&PluginUse| plugin_use.components.iter().any(|(kind, _)| kinds.contains(kind));
    let uses: Vec<PluginUse> = uses.iter().filter(takes_part).cloned().collect();
    if let Some(plugin_use) = uses.iter().find(|plugin_use| session.plugin(&plugin_use.name).is_none()) {
        bail!(
            "{what} made with plugin {plugin_use}, which is not loaded; name its file with --plugin, list it in [plugins] of \
             nnunet.toml, or run nnunet plugins install"
        );
    }
    warn_of_changes(what, &uses, session);
    Ok(())
}

/// Warns of plugins whose version or file has changed.
pub fn warn_of_changes(what: &str, uses: &[PluginUse], session: &Session) {
    for plugin_use in uses {
        if let Some(now) = session.plugin(&plugin_use.name).filter(|now| now.sha256 != plugin_use.sha256) {
            tracing::warn!(
                "{what} made with plugin {plugin_use}; now it is version {} with sha256 {} ({})",
                now.about.version,
                now.sha256,
                now.path.display()
            );
        }
    }
}

impl PluginUse {
    fn of(plugin: &Plugin, component: (Kind, String)) -> Self {
        Self {
            name: plugin.about.name.clone(),
            version: plugin.about.version.clone(),
            sha256: plugin.sha256.clone(),
            components: vec![component],
        }
    }
}

impl std::fmt::Display for PluginUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let used: Vec<String> = self.components.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        write!(f, "{} {} ({}; sha256 {})", self.name, self.version, used.join(", "), self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin_use(sha256: &str, components: &[(Kind, &str)]) -> PluginUse {
        let components = components.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        PluginUse { name: "p".to_owned(), version: "1.0.0".to_owned(), sha256: sha256.to_owned(), components }
    }

    #[test]
    fn an_earlier_use_keeps_its_hash() {
        let first = vec![plugin_use("old", &[(Kind::Planner, "A"), (Kind::Preprocessor, "B")])];
        let then = [plugin_use("new", &[(Kind::Preprocessor, "B"), (Kind::Trainer, "C")])];
        let wanted = [first[0].clone(), plugin_use("new", &[(Kind::Trainer, "C")])];
        assert_eq!(join(first, then), wanted);
    }

    #[test]
    fn no_plugins_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let plans = folder.path().join("nnUNetPlansX_plans_3D.pkl");
        let uses = [plugin_use("a", &[(Kind::Planner, "A")])];
        save_beside(&plans, &uses).unwrap();
        assert_eq!(load_beside(&plans).unwrap(), uses);
        save_beside(&plans, &[]).unwrap();
        assert!(load_beside(&plans).unwrap().is_empty());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
