//! `ingest`: a raw task of images and masks in other formats, or of DICOM series.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nnunet_data::dataset::Dataset;
use nnunet_data::folders::Folders;
use nnunet_data::integrity;
use nnunet_data::v2::{self, RawDataset};
use nnunet_ingest::{Converted, Generation, Label, Name, Named, Outcome, Request};
use serde_json::json;

use super::verify;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of images, one for each channel: files (NIfTI, MetaImage, NRRD, TIFF, PNG, BMP), or a folder with DICOM files
    /// for each case. Files may also end in _0000, _0001 and so on for their channels.
    #[arg(short = 'i', long, num_args = 1.., required = true, value_name = "FOLDER")]
    images: Vec<PathBuf>,
    /// Folder of the masks: a file for each case, named like its image, also with _mask or _seg behind the name.
    #[arg(short = 'm', long, value_name = "FOLDER", requires = "task", required_unless_present = "output")]
    masks: Option<PathBuf>,
    /// Folders of test images, as --images.
    #[arg(long, num_args = 1.., requires = "task", value_name = "FOLDER")]
    test: Vec<PathBuf>,
    /// Name of the new task: Task001_Name for version 1, Dataset001_Name for version 2.
    #[arg(short = 't', long, requires = "masks", value_name = "NAME")]
    task: Option<Name>,
    /// Instead of a task: only write the images to this folder, named as predict reads them.
    #[arg(short = 'o', long, conflicts_with_all = ["masks", "task"], value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Of DICOM folders with several series: a word in the name of the series, or its number or identifier, for each channel.
    #[arg(long, num_args = 1.., value_name = "WORD")]
    series: Vec<String>,
    /// Names of the channels. One called CT is normalized by the intensities of the whole data set.
    #[arg(long, num_args = 1.., requires = "task", value_name = "NAME")]
    channels: Vec<String>,
    /// Names of the values of the masks, such as 255=cell, or #ff0000=vessel for a color. Values of one name become one
    /// label; those called background are left out. Without it values become labels in their order.
    #[arg(long, num_args = 1.., requires = "task", value_name = "VALUE=NAME")]
    labels: Vec<Named>,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if images or masks cannot be used, or if the new task has errors that `verify` finds.
pub(crate) fn run(args: &Args, folders: &Folders) -> Result<()> {
    if let Some(output) = &args.output {
        let Converted { cases, channels } = nnunet_ingest::convert(&args.images, &args.series, output)?;
        let cases = report::count(cases, "case");
        // Names of cameras may have become channels, which the number shows.
        let each = if channels == 1 { String::new() } else { format!(", {channels} channels each,") };
        report::line(&format!("the images of {cases}{each} are in {}", output.display()));
        return Ok(());
    }
    let name = args.task.clone().context("--task is needed")?;
    let to = match name.generation {
        Generation::V1 => folders.raw()?.join(&name.full),
        Generation::V2 => v2::Folders::from_environment().raw()?.join(&name.full),
    };
    let request = Request {
        images: args.images.clone(),
        masks: args.masks.clone().context("--masks is needed")?,
        tests: args.test.clone(),
        series: args.series.clone(),
        channels: args.channels.clone(),
        labels: args.labels.clone(),
        name,
        to,
    };
    let made = nnunet_ingest::ingest(&request)?;
    show(&request, &made);
    let dataset = match request.name.generation {
        Generation::V1 => Dataset::load(&request.to)?,
        Generation::V2 => RawDataset::load(&request.to)?.as_task()?,
    };
    let findings = integrity::check(&dataset, verify::TOLERANCE)?;
    verify::show(&dataset, &findings, None);
    verify::usable(&dataset, &findings)
}

fn show(request: &Request, made: &Outcome) {
    let fields = json!({
        "folder": request.to.display().to_string(), "cases": made.cases, "tests": made.tests,
        "channels": made.channels, "labels": made.labels,
    });
    report::record("ingested", &fields, &text(request, made));
}

fn text(request: &Request, made: &Outcome) -> String {
    let head = format!(
        "{}: {} training cases, {} test cases; channels: {}\n",
        request.to.display(),
        made.cases,
        made.tests,
        made.channels.join(", ")
    );
    let title = ["label", "name", "values of the masks", "cases"].map(str::to_owned);
    let row = |label: &Label| {
        [label.label.to_string(), label.name.clone(), label.values.join(" "), label.cases.to_string()]
    };
    head + &report::table([title].into_iter().chain(made.labels.iter().map(row)))
}
