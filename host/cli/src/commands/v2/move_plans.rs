//! `nnUNetv2_move_plans_between_datasets`.

use anyhow::{Result, ensure};
use nnunet_data::v2::{Folders, RawDataset, move_plans};
use nnunet_engine::session::Session;

use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data set whose plans are taken, by number or name.
    #[arg(short = 's', required = true, value_name = "DATASET")]
    source: String,
    /// Data set that they are for, by number or name.
    #[arg(short = 't', required = true, value_name = "DATASET")]
    target: String,
    /// Name of the plans.
    #[arg(long = "sp", required = true, value_name = "NAME")]
    source_plans: String,
    /// Name for them in the target; the same by default.
    #[arg(long = "tp", value_name = "NAME")]
    target_plans: Option<String>,
}

pub(super) fn run(args: &Args, _session: &Session) -> Result<()> {
    let folders = Folders::from_environment();
    let (from, to) = (folders.dataset(&args.source)?, folders.dataset(&args.target)?);
    ensure!(from.name != to.name, "{} has these plans already", to.name);
    let raw = RawDataset::load(&to.raw)?;
    let name = args.target_plans.as_ref().unwrap_or(&args.source_plans);
    let file = move_plans(&from, &args.source_plans, &raw, &to, name)?;
    report::line(&format!("wrote {}", file.display()));
    Ok(())
}
