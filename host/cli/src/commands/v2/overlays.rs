//! `nnUNetv2_plot_overlay_pngs`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use nnunet_data::v2::{CaseFiles, Folders, RawDataset};
use nnunet_data::{failures, folders as data};

use super::effort::default_processes;
use crate::{pictures, report};

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set, by number or name.
    #[arg(short = 'd', required = true, value_name = "DATASET")]
    dataset: String,
    /// Folder for the pictures.
    #[arg(short = 'o', required = true, value_name = "FOLDER")]
    output: PathBuf,
    /// Cases at a time; 8 by default, or nnUNet_def_n_proc.
    #[arg(long = "np", value_name = "N")]
    processes: Option<usize>,
    /// Channel that is drawn.
    #[arg(long, default_value_t = 0, value_name = "N")]
    channel_idx: usize,
    /// Accepted as v2's: raw data are always drawn.
    #[arg(long)]
    use_raw: bool,
    /// Accepted as v2's: raw data need no plans.
    #[arg(short = 'p', value_name = "NAME")]
    plans: Option<String>,
    /// Accepted as v2's: raw data need no configuration.
    #[arg(short = 'c', value_name = "NAME")]
    configuration: Option<String>,
    /// Accepted as v2's: labels are drawn with a fixed intensity.
    #[arg(long, value_name = "SHARE")]
    overlay_intensity: Option<f64>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let folders = Folders::from_environment();
    let raw = RawDataset::load(&folders.raw()?.join(folders.dataset_name(&args.dataset)?))?;
    let files = raw.cases.iter().map(|case| case.images.len()).min().unwrap_or(0);
    ensure!(args.channel_idx < files, "there is no channel {}; the images have {files}", args.channel_idx);
    data::create(&args.output)?;
    let threads = args.processes.unwrap_or_else(default_processes);
    let pool = failures::threads(threads)?;
    let draw = |case: &CaseFiles| {
        let picture = args.output.join(format!("{}.png", case.name));
        pictures::overlay_case(&case.images[args.channel_idx], &case.label, &picture)
            .with_context(|| case.name.clone())
    };
    pool.install(|| failures::each("cases cannot be drawn", &raw.cases, draw))?;
    report::line(&format!("drew {} cases into {}", raw.cases.len(), args.output.display()));
    Ok(())
}
