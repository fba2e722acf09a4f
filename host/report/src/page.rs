//! The page: its content, and the template that it is filled into.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use crate::folder::Section;
use crate::settings::{self, STAGES};
use crate::slices::{self, Overlay};
use crate::sources::Sources;
use crate::tables::{self, Case, Table};

/// Everything on the page.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    title: String,
    program: &'static str,
    stages: [&'static str; 3],
    sections: Vec<Part>,
}

/// A folder of predictions or a fold.
#[derive(Debug, Serialize)]
struct Part {
    title: String,
    /// `progress.png` in base64.
    curves: Option<String>,
    table: Option<Table>,
    overlays: Vec<Overlay>,
    /// Why there are no overlays, or fewer than asked for.
    missing: Vec<String>,
    /// Cases that are unlike the training images, and how.
    unlike_training: Vec<(String, String)>,
    settings: Vec<(String, String)>,
    timings: Vec<(String, Vec<Option<f64>>)>,
}

impl Page {
    /// Collects the content.
    pub(crate) fn new(sources: &Sources, sections: &[Section]) -> Result<Self> {
        let title = std::path::absolute(&sources.folder)?.display().to_string();
        let sections = sections.iter().map(|section| part(sources, section)).collect::<Result<_>>()?;
        Ok(Self { title, program: concat!("nnunet ", env!("CARGO_PKG_VERSION")), stages: STAGES, sections })
    }

    /// The page as HTML. Texts from files are escaped.
    pub(crate) fn render(&self) -> Result<String> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("digits", digits);
        environment.add_template("page.html", include_str!("page.html"))?;
        let template = environment.get_template("page.html")?;
        let style = include_str!("page.css");
        let script = include_str!("page.js");
        Ok(template.render(minijinja::context! { page => Serde(self), style, script })?)
    }
}

/// A number for a table; empty for none.
fn digits(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.4}"),
    }
}

fn part(sources: &Sources, section: &Section) -> Result<Part> {
    let read = section.summary.as_deref().map(tables::read).transpose()?;
    let (table, cases) = read.map_or((None, Vec::new()), |(table, cases)| (Some(table), cases));
    let (overlays, missing) = overlays(sources, &cases);
    Ok(Part {
        title: section.title.clone(),
        curves: picture(&section.folder.join("progress.png"))?,
        table,
        overlays,
        missing,
        unlike_training: settings::unlike_training(&section.folder),
        settings: settings::of(&section.folder),
        timings: settings::timings(&section.folder),
    })
}

/// Overlays of the cases with the lowest Dice. A case that cannot be drawn is named on the page.
fn overlays(sources: &Sources, cases: &[Case]) -> (Vec<Overlay>, Vec<String>) {
    if cases.is_empty() || sources.overlays == 0 {
        return (Vec::new(), Vec::new());
    }
    let Some(folder) = slices::image_folder(sources, cases) else {
        let reason = "The images were not found; name their folder with --images to see overlays.";
        return (Vec::new(), vec![reason.to_owned()]);
    };
    let (mut drawn, mut missing) = (Vec::new(), Vec::new());
    for case in cases.iter().take(sources.overlays) {
        match slices::overlay(&folder, case) {
            Ok(overlay) => drawn.push(overlay),
            Err(error) => missing.push(format!("{}: {error:#}", case.name)),
        }
    }
    (drawn, missing)
}

fn picture(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Ok(Some(STANDARD.encode(bytes)))
}
