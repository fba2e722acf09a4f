//! The commands that list and describe published models.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::exchange::{Published, published, published_named};
use nnunet_data::folders;
use nnunet_formats::json::{self, Json};

use crate::report;

/// Arguments of v1's `print_available_pretrained_models`.
#[derive(Debug, clap::Args)]
pub struct Available {
    /// Also write the list, as available_models.json, into this folder.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
}

/// Arguments of v1's `print_pretrained_model_info`.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Name or number of the model.
    task_name: String,
}

/// Lists the published models.
///
/// # Errors
/// Returns an I/O error if the exported list cannot be written.
pub(crate) fn print_available(args: &Available) -> Result<()> {
    let models = published()?;
    for model in &models {
        let text = format!("{}\n  {}", model.name, model.description().replace('\n', "\n  "));
        report::record("pretrained_model", &object(model), &text);
    }
    let Some(folder) = &args.export else { return Ok(()) };
    folders::create(folder)?;
    let file = folder.join("available_models.json");
    json::save(&file, &Json::Object(models.iter().map(entry).collect()))?;
    report::line(&format!("wrote {}", file.display()));
    Ok(())
}

fn entry(model: &Published) -> (String, Json) {
    let mut urls: Vec<Json> = model.urls().into_iter().map(Json::Str).collect();
    let url = if urls.len() == 1 { urls.remove(0) } else { Json::Array(urls) };
    let value = vec![("description".to_owned(), Json::Str(model.description())), ("url".to_owned(), url)];
    (model.name.clone(), Json::Object(value))
}

fn object(model: &Published) -> serde_json::Value {
    serde_json::json!({ "name": model.name, "description": model.description(), "urls": model.urls() })
}

/// Prints the description of a model.
///
/// # Errors
/// Returns an error for an unknown name.
pub(crate) fn print_info(args: &Named) -> Result<()> {
    let model = published_named(&args.task_name)?;
    let urls = model.urls().join("\n  ");
    let text = format!("{}\n{}\nArchives:\n  {urls}", model.name, model.description());
    report::record("pretrained_model", &object(&model), &text);
    Ok(())
}
