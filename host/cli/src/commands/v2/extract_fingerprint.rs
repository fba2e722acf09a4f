//! `nnUNetv2_extract_fingerprint`.

use anyhow::{Result, ensure};
use nnunet_data::pipeline::Part;
use nnunet_data::v2::{Folders, RawDataset, extract_fingerprint, extract_part};
use nnunet_data::{integrity, training_images};
use nnunet_engine::session::Session;

use super::effort::{Effort, default_processes, for_each};
use crate::commands::verify;
use crate::report;

/// The only extractor.
pub(super) const EXTRACTOR: &str = "DatasetFingerprintExtractor";

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data sets, by number or name.
    #[arg(short = 'd', num_args = 1.., required = true, value_name = "DATASET")]
    datasets: Vec<String>,
    /// Name of the extractor; there is one.
    #[arg(long = "fpe", default_value = EXTRACTOR, value_name = "NAME")]
    extractor: String,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Check the data sets first.
    #[arg(long = "verify_dataset_integrity")]
    verify: bool,
    /// Extract fingerprints again that exist.
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    effort: Effort,
}

pub(super) fn run(args: &Args, _session: &Session) -> Result<()> {
    check_extractor(&args.extractor)?;
    let folders = Folders::from_environment();
    let processes = args.processes.unwrap_or_else(default_processes);
    for_each(&args.datasets, |dataset| {
        extract(dataset, &folders, args.verify, args.clean, processes, &args.effort)
    })
}

pub(super) fn check_extractor(name: &str) -> Result<()> {
    ensure!(name == EXTRACTOR, "-fpe {name}: there is only {EXTRACTOR}");
    Ok(())
}

/// Checks a data set, if that is wanted, and extracts its fingerprint.
pub(super) fn extract(
    dataset: &str,
    folders: &Folders,
    verified: bool,
    again: bool,
    processes: usize,
    effort: &Effort,
) -> Result<()> {
    let places = folders.dataset(dataset)?;
    let raw = RawDataset::load(&places.raw)?;
    report::line(&format!(
        "{}: {} training cases, read with {}",
        places.name,
        raw.cases.len(),
        raw.reader.name()
    ));
    if verified {
        check(&raw)?;
    }
    let limits = effort.limits(processes);
    let found = extract_fingerprint(&raw, &places.preprocessed, limits, again)?;
    training_images::keep(&raw, &places.preprocessed, limits);
    tracing::debug!("median share left after cropping: {:.3}", found.relative_size);
    Ok(())
}

/// Reads the cases of a part; returns how many are left until there is a fingerprint.
pub(super) fn extract_part_of(
    dataset: &str,
    folders: &Folders,
    processes: usize,
    effort: &Effort,
    part: Part,
) -> Result<usize> {
    let places = folders.dataset(dataset)?;
    let raw = RawDataset::load(&places.raw)?;
    report::line(&format!("{}: {} training cases in parts", places.name, raw.cases.len()));
    let limits = effort.limits(processes);
    let left = extract_part(&raw, &places.preprocessed, limits, part)?;
    if left == 0 {
        training_images::keep(&raw, &places.preprocessed, limits);
    }
    Ok(left)
}

fn check(raw: &RawDataset) -> Result<()> {
    let task = raw.as_task()?;
    let findings = integrity::check(&task, verify::TOLERANCE)?;
    verify::show(&task, &findings, None);
    verify::usable(&task, &findings)?;
    if let Some(wanted) = raw.description.training_cases {
        let found = raw.cases.len();
        ensure!(wanted == found, "dataset.json says numTraining = {wanted}, but there are {found} cases");
    }
    Ok(())
}
