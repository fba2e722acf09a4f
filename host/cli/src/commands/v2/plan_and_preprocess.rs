//! `nnUNetv2_plan_and_preprocess`.

use anyhow::{Result, ensure};
use nnunet_data::v2::Folders;
use nnunet_engine::session::Session;

use super::effort::{Effort, Parts, for_each};
use super::extract_fingerprint::{EXTRACTOR, check_extractor, extract, extract_part_of};
use super::plan_experiment::{Planning, plan_one};
use super::preprocess::{Configurations, preprocess_one};
use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data sets, by number or name.
    #[arg(short = 'd', num_args = 1.., required = true, value_name = "DATASET")]
    datasets: Vec<String>,
    /// Name of the fingerprint extractor; there is one.
    #[arg(long = "fpe", default_value = EXTRACTOR, value_name = "NAME")]
    extractor: String,
    /// Cases at a time for the fingerprint.
    #[arg(long = "npfp", default_value_t = 8, value_name = "N")]
    fingerprint_processes: usize,
    /// Check the data sets first.
    #[arg(long = "verify_dataset_integrity")]
    verify: bool,
    /// Only fingerprints and plans.
    #[arg(long = "no_pp")]
    no_preprocessing: bool,
    /// Extract fingerprints again that are there already.
    #[arg(long)]
    clean: bool,
    #[command(flatten)]
    planning: Planning,
    #[command(flatten)]
    chosen: Configurations,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    parts: Parts,
}

pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    check_extractor(&args.extractor)?;
    let part = args.parts.part()?;
    ensure!(
        part.is_all() || !(args.clean || args.verify),
        "--clean and --verify_dataset_integrity are for one job, not for parts"
    );
    let folders = Folders::from_environment();
    let planner = args.planning.planner(session)?;
    let plans =
        planner.settings.v2.as_ref().map(|settings| settings.plans_identifier.clone()).unwrap_or_default();
    for_each(&args.datasets, |dataset| {
        if part.is_all() {
            extract(dataset, &folders, args.verify, args.clean, args.fingerprint_processes, &args.effort)?;
        } else {
            let left = extract_part_of(dataset, &folders, args.fingerprint_processes, &args.effort, part)?;
            if left > 0 {
                report::line(&format!(
                    "{left} cases are left to read; run this part again when the others have done theirs"
                ));
                return Ok(());
            }
        }
        plan_one(dataset, &folders, &planner, session)?;
        if args.no_preprocessing {
            return Ok(());
        }
        preprocess_one(dataset, &folders, &plans, &args.chosen, (&args.effort, part), session)
    })
}
