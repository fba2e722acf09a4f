//! The commands about published models. The program opens no network connection: the download commands say what to
//! fetch and how to install it, and end with an error, so that a script does not go on without the model.

use std::path::PathBuf;

use anyhow::{Result, bail};
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

/// Arguments of v1's `print_pretrained_model_info` and `download_pretrained_model`.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// Name or number of the model.
    task_name: String,
}

/// Arguments of v1's `download_pretrained_model_by_url`.
#[derive(Debug, clap::Args)]
pub struct Url {
    /// URL of the archive.
    url: String,
}

/// Lists the published models.
///
/// # Errors
/// Returns an I/O error if the exported list cannot be written.
pub(crate) fn print_available(args: &Available) -> Result<()> {
    let models = published()?;
    for model in &models {
        let text = format!("{}\n  {}", model.name, model.description().replace('\n', "\n  "));
        report::record(&object(model), &text);
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
    report::record(&object(&model), &text);
    Ok(())
}

/// Shows how to download a model.
///
/// # Errors
/// Always returns an error: nothing is downloaded.
pub(crate) fn download(args: &Named) -> Result<()> {
    let model = published_named(&args.task_name)?;
    bail!(
        "{} is not installed. {}\nThe license of the data it was trained on applies.",
        model.name,
        advice(&model.urls())
    )
}

/// Shows how to download an archive from a URL.
///
/// # Errors
/// Always returns an error: nothing is downloaded.
pub(crate) fn download_by_url(args: &Url) -> Result<()> {
    bail!("nothing is installed. {}", advice(std::slice::from_ref(&args.url)))
}

fn advice(urls: &[String]) -> String {
    let mut text = "This program opens no network connection; fetch and install it with".to_owned();
    for url in urls {
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let file = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("model.zip");
        text +=
            &format!("\n  curl -L -o '{file}' '{url}'\n  nnunet install_pretrained_model_from_zip '{file}'");
    }
    text
}
