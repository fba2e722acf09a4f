//! Which plugins plans, data and models were made with: kept beside them, and compared when they are used.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nnunet_formats::atomic;
use nnunet_plugin_api::Kind;
use serde::{Deserialize, Serialize};

use crate::plugin::Plugin;
use crate::world::World;

/// A plugin that had a part in something.
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

/// The plugins behind components.
#[must_use]
pub fn makers<S: AsRef<str>>(world: &World, used: impl IntoIterator<Item = (Kind, S)>) -> Vec<Maker> {
    let made = used.into_iter().filter_map(|(kind, name)| {
        let entry = world.registry.find(kind, name.as_ref()).ok()?;
        let plugin = entry.origin.library().and_then(|_| world.plugin(&entry.plugin))?;
        Some(Maker::of(plugin, (kind, entry.component.info.name.to_string())))
    });
    join(Vec::new(), made)
}

/// What was made first, and what is added to it. A component that is in both stays as it was made first.
#[must_use]
pub fn join(mut first: Vec<Maker>, then: impl IntoIterator<Item = Maker>) -> Vec<Maker> {
    for mut maker in then {
        maker.components.retain(|component| !first.iter().any(|other| other.components.contains(component)));
        let same = first.iter_mut().find(|other| other.name == maker.name && other.sha256 == maker.sha256);
        match same {
            Some(same) => same.components.extend(maker.components),
            None if maker.components.is_empty() => {}
            None => first.push(maker),
        }
    }
    first
}

/// Keeps the makers of plans and their data in `NAME.plugins.json` beside `NAME.pkl`. Where no plugin had a part there
/// is no such file.
///
/// # Errors
/// What the system says.
pub fn save_beside(plans: &Path, makers: &[Maker]) -> Result<()> {
    let file = beside(plans);
    if !makers.is_empty() {
        return Ok(atomic::write_bytes(&file, &serde_json::to_vec_pretty(makers)?)?);
    }
    if file.is_file() {
        std::fs::remove_file(&file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// The makers of plans and their data.
///
/// # Errors
/// A file that is damaged.
pub fn load_beside(plans: &Path) -> Result<Vec<Maker>> {
    let file = beside(plans);
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let shown = || file.display().to_string();
    serde_json::from_slice(&std::fs::read(&file).with_context(shown)?).with_context(shown)
}

fn beside(plans: &Path) -> PathBuf {
    plans.with_extension("plugins.json")
}

/// Compares the makers of something, `the model was`, with the plugins there are now. Only plugins with a component of
/// the kinds that take part count. Another version or file is a warning.
///
/// # Errors
/// A plugin that is not there.
pub fn need(what: &str, makers: &[Maker], world: &World, kinds: &[Kind]) -> Result<()> {
    let takes_part = |maker: &&Maker| maker.components.iter().any(|(kind, _)| kinds.contains(kind));
    let makers: Vec<Maker> = makers.iter().filter(takes_part).cloned().collect();
    if let Some(maker) = makers.iter().find(|maker| world.plugin(&maker.name).is_none()) {
        bail!(
            "{what} made with plugin {maker}, which is not there; name its file with --plugin, list it in [plugins] of \
             nnunet.toml, or run nnunet plugins install"
        );
    }
    tell_changes(what, &makers, world);
    Ok(())
}

/// Says which makers are another version or file now.
pub fn tell_changes(what: &str, makers: &[Maker], world: &World) {
    for maker in makers {
        if let Some(now) = world.plugin(&maker.name).filter(|now| now.sha256 != maker.sha256) {
            tracing::warn!(
                "{what} made with plugin {maker}; now it is version {} with sha256 {} ({})",
                now.about.version,
                now.sha256,
                now.path.display()
            );
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(sha256: &str, components: &[(Kind, &str)]) -> Maker {
        let components = components.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect();
        Maker { name: "p".to_owned(), version: "1.0.0".to_owned(), sha256: sha256.to_owned(), components }
    }

    #[test]
    fn what_was_made_first_keeps_its_hash() {
        let first = vec![maker("old", &[(Kind::Planner, "A"), (Kind::Preprocessor, "B")])];
        let then = [maker("new", &[(Kind::Preprocessor, "B"), (Kind::Trainer, "C")])];
        let wanted = [first[0].clone(), maker("new", &[(Kind::Trainer, "C")])];
        assert_eq!(join(first, then), wanted);
    }

    #[test]
    fn no_makers_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let plans = folder.path().join("nnUNetPlansX_plans_3D.pkl");
        let makers = [maker("a", &[(Kind::Planner, "A")])];
        save_beside(&plans, &makers).unwrap();
        assert_eq!(load_beside(&plans).unwrap(), makers);
        save_beside(&plans, &[]).unwrap();
        assert!(load_beside(&plans).unwrap().is_empty());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
