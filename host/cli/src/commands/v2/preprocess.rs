//! `nnUNetv2_preprocess`.

use anyhow::{Context, Result, ensure};
use nnunet_data::components;
use nnunet_data::pipeline::Part;
use nnunet_data::splitting::{CaseTable, folds};
use nnunet_data::v2::{
    Folders, Job, PlansFile, RawDataset, Store, copy_reference_labels, prepare_splits, preprocess,
};
use nnunet_engine::session::Session;

use super::effort::{Effort, Parts, for_each};
use crate::report;

/// Arguments of v2's command.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct Args {
    /// Data sets, by number or name.
    #[arg(short = 'd', num_args = 1.., required = true, value_name = "DATASET")]
    datasets: Vec<String>,
    /// Name of the plans.
    #[arg(long = "plans_name", default_value = "nnUNetPlans", value_name = "NAME")]
    plans_name: String,
    #[command(flatten)]
    chosen: Configurations,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    parts: Parts,
}

/// Which configurations, and how many cases at a time.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub(super) struct Configurations {
    /// Configurations; those that a data set does not have are skipped.
    #[arg(short = 'c', num_args = 1.., default_values = ["2d", "3d_fullres", "3d_lowres"], value_name = "NAME")]
    configurations: Vec<String>,
    /// Cases at a time: one number, or one for each configuration; by default 8 for 2d and 3d_lowres, 4 for others.
    #[arg(long = "np", num_args = 1.., value_name = "N")]
    processes: Vec<usize>,
    /// Files of the cases: b2nd is v2's own, npz is read by all versions of v2, npy is npz with unpacked arrays beside it.
    #[arg(long, default_value = "b2nd", value_name = "b2nd|npz|npy", value_parser = store)]
    store: Store,
}

fn store(name: &str) -> Result<Store, String> {
    let found = Store::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, store)| *store).ok_or_else(|| "it is b2nd, npz or npy".to_owned())
}

impl Configurations {
    fn with_processes(&self) -> Result<Vec<(&str, usize)>> {
        let names = self.configurations.iter().map(String::as_str);
        let default = |name: &str| if matches!(name, "2d" | "3d_lowres") { 8 } else { 4 };
        Ok(match self.processes[..] {
            [] => names.map(|name| (name, default(name))).collect(),
            [one] => names.map(|name| (name, one)).collect(),
            ref several => {
                let (wanted, found) = (self.configurations.len(), several.len());
                ensure!(
                    wanted == found,
                    "-np needs one number, or {wanted} for {wanted} configurations; not {found}"
                );
                names.zip(several.iter().copied()).collect()
            }
        })
    }
}

pub(super) fn run(args: &Args, session: &Session) -> Result<()> {
    let folders = Folders::from_environment();
    let part = args.parts.part()?;
    for_each(&args.datasets, |dataset| {
        preprocess_one(dataset, &folders, &args.plans_name, &args.chosen, (&args.effort, part), session)
    })
}

/// Preprocesses a data set for some configurations of its plans.
pub(super) fn preprocess_one(
    dataset: &str,
    folders: &Folders,
    plans_name: &str,
    chosen: &Configurations,
    (effort, part): (&Effort, Part),
    session: &Session,
) -> Result<()> {
    let store = chosen.store;
    let chosen = chosen.with_processes()?;
    let places = folders.dataset(dataset)?;
    let raw = RawDataset::load(&places.raw)?;
    let file = places.preprocessed.join(format!("{plans_name}.json"));
    ensure!(file.is_file(), "{} is missing; run nnUNetv2_plan_experiment first", file.display());
    let plans = PlansFile::load(&file)?;
    for (name, processes) in chosen {
        if !plans.has(name) {
            report::line(&format!("{} has no configuration {name}: skipped", file.display()));
            continue;
        }
        let configuration = plans.configuration(name)?;
        let preprocessor_name = &configuration.preprocessor_name;
        let preprocessor = components::preprocessor_of(
            &session.registry,
            preprocessor_name,
            &configuration.normalization_schemes,
        )
        .with_context(|| format!("{}: configuration {name}", file.display()))?;
        let resamplers = components::resamplers(&session.registry, &preprocessor, &configuration.resampling)
            .with_context(|| format!("{}: configuration {name}", file.display()))?;
        let libraries =
            components::libraries_of(&session.registry, preprocessor_name, &preprocessor, Some(&resamplers))?;
        let job = Job {
            dataset: &raw,
            plans: &plans,
            configuration: &configuration,
            preprocessor: &preprocessor,
            resamplers: &resamplers,
            libraries: &libraries,
            store,
        };
        let folder = places.preprocessed.join(&configuration.data_identifier);
        report::line(&format!("preprocessing {} for {name} into {}", places.name, folder.display()));
        preprocess(&job, &folder, effort.limits(processes), part)?;
    }
    let results = folders.results().ok().map(|results| results.join(&places.name));
    let splitter = session.choices.v2.splitter.as_ref();
    prepare_splits(&places.preprocessed, &raw.names(), results.as_deref(), |cases| {
        folds(&session.registry, splitter, cases, &CaseTable::new())
    })?;
    copy_reference_labels(&raw, &places.preprocessed)
}
