//! `debug.json`: everything a run was made from.

use std::path::Path;

use anyhow::Result;
use nnunet_engine::provenance::PluginUse;
use nnunet_engine::session::Session;
use nnunet_formats::json::{self, Json};
use nnunet_trainers::Resolved;
use serde_json::{Value, json};

use super::attributes_of_v1;
use super::job::Job;

/// Writes the blueprint, the stage, and the plugins: those in use, and those the model is made with. What v1's file has in
/// addition is there under v1's names, as text.
pub(super) fn write(
    path: &Path,
    job: &Job<'_>,
    trainer: &Resolved,
    plugins_used: &[PluginUse],
    session: &Session,
    log: &Path,
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
        all.insert("stage".to_owned(), serde_json::to_value(job.stage())?);
        all.insert("plugins".to_owned(), json!(plugins));
        all.insert("made_with".to_owned(), json!(plugins_used));
        all.insert("nnunet_version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        for (name, value) in attributes_of_v1::of(job, trainer, log) {
            let own = all.entry(name).or_insert(Value::Null);
            if own.is_null() {
                *own = Value::String(attributes_of_v1::text(&value));
            }
        }
    }
    Ok(json::save(path, &Json::from(all))?)
}
