//! `debug.json`: everything a run was made from.

use std::path::Path;

use anyhow::Result;
use nnunet_engine::provenance::PluginUse;
use nnunet_engine::session::Session;
use nnunet_formats::json::{self, Json};
use nnunet_plugin_api::vocabulary::Stage;
use serde_json::json;

use nnunet_trainers::Resolved;

/// Writes the blueprint, the stage, and the plugins: those in use, and those the model is made with.
pub(crate) fn write(
    path: &Path,
    trainer: &Resolved,
    stage: &Stage,
    plugins_used: &[PluginUse],
    session: &Session,
) -> Result<()> {
    let plugins: Vec<_> = session
        .plugins
        .iter()
        .map(|plugin| {
            let about = &plugin.about;
            json!({
                "name": about.name, "version": about.version, "abi": about.abi, "file": plugin.path.display().to_string(),
                "sha256": plugin.sha256,
            })
        })
        .collect();
    let mut all = serde_json::to_value(&trainer.blueprint)?;
    if let Some(all) = all.as_object_mut() {
        all.insert("trainer".to_owned(), json!(trainer.names.last()));
        all.insert("parents".to_owned(), json!(trainer.names));
        all.insert("set".to_owned(), json!(trainer.set));
        all.insert("stage".to_owned(), serde_json::to_value(stage)?);
        all.insert("plugins".to_owned(), json!(plugins));
        all.insert("made_with".to_owned(), json!(plugins_used));
        all.insert("nnunet_version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    }
    Ok(json::save(path, &Json::from(all))?)
}
