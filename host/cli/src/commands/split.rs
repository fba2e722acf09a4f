//! `split`: makes the folds of a task or a data set.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_data::dataset::Dataset;
use nnunet_data::folders::{self, Folders};
use nnunet_data::pipeline::TaskFolders;
use nnunet_data::records::{self, Split};
use nnunet_data::splitting::{CaseTable, case_table, folds};
use nnunet_data::v2;
use nnunet_engine::session::Session;
use nnunet_plugin_core::Config;
use nnunet_plugin_core::vocabulary::ComponentChoice;
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Task of v1, by name or number.
    #[arg(short = 't', long = "task", value_name = "TASK", required_unless_present = "dataset")]
    task: Option<String>,
    /// Data set of v2, by name or number.
    #[arg(short = 'd', long = "dataset", value_name = "DATASET", conflicts_with = "task")]
    dataset: Option<String>,
    /// Splitter, of the program, of nnunet.toml or of a plugin, instead of the project's: KFold, GroupKFold,
    /// StratifiedKFold, LeaveOneOut, ...
    #[arg(short = 's', long, value_name = "NAME")]
    splitter: Option<String>,
    /// Its parameters as TOML, for example 'folds = 3, pattern = "^(patient[0-9]+)_"'.
    #[arg(long, value_name = "TOML", requires = "splitter")]
    parameters: Option<String>,
    /// Table (CSV) with a row for each case: its name, then values that splitters use by the name of their column.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Replace folds that are there already.
    #[arg(long)]
    overwrite: bool,
    /// Show the folds, and write nothing.
    #[arg(long = "dry_run")]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for cases that cannot be divided, or for folds that are there already.
pub(crate) fn run(args: &Args, session: &Session, folders: &Folders) -> Result<()> {
    let place = Place::of(args, folders)?;
    let table = args.table.as_ref().map(|path| case_table(path, &place.cases)).transpose()?;
    let choice = args.choice()?;
    let project = if place.is_v2 { &session.choices.v2.splitter } else { &session.choices.splitter };
    let choice = choice.as_ref().or(project.as_ref());
    let made = folds(&session.registry, choice, &place.cases, &table.unwrap_or_else(CaseTable::new))?;
    show(&made);
    if args.dry_run {
        return Ok(());
    }
    place.write(&made, args.overwrite)
}

impl Args {
    fn choice(&self) -> Result<Option<ComponentChoice>> {
        let Some(name) = &self.splitter else { return Ok(None) };
        let text = self.parameters.as_deref().unwrap_or_default();
        let table: toml::Table =
            toml::from_str(&format!("p = {{ {text} }}")).with_context(|| format!("--parameters `{text}`"))?;
        let parameters: Config =
            table.get("p").cloned().map(toml::Value::try_into).transpose()?.unwrap_or_default();
        Ok(Some(ComponentChoice { name: name.clone(), parameters }))
    }
}

/// Where folds are kept, and whose they are.
struct Place {
    preprocessed: PathBuf,
    cases: Vec<String>,
    is_v2: bool,
}

impl Place {
    fn of(args: &Args, folders: &Folders) -> Result<Self> {
        if let Some(dataset) = &args.dataset {
            let places = v2::Folders::from_environment().dataset(dataset)?;
            let cases = v2::RawDataset::load(&places.raw)?.names();
            return Ok(Self { preprocessed: places.preprocessed, cases, is_v2: true });
        }
        let name = folders.task_name(args.task.as_deref().unwrap_or_default())?;
        let task = TaskFolders::of(folders, &name)?;
        let cases = Dataset::load(&task.raw)?.training;
        Ok(Self { preprocessed: task.preprocessed, cases, is_v2: false })
    }

    /// Writes the folds, unless others are there.
    fn write(&self, made: &[Split], overwrite: bool) -> Result<()> {
        let json = self.preprocessed.join("splits_final.json");
        let pickle = json.with_extension("pkl");
        let there = [&json, &pickle].into_iter().find(|path| path.is_file());
        if let Some(there) = there.filter(|_| !overwrite) {
            let is_same = self.found(&json).is_ok_and(|found| found == made);
            ensure!(
                is_same,
                "{} has other folds, and models may have been trained with them; --overwrite replaces them",
                there.display()
            );
            report::line(&format!("{} has these folds already", there.display()));
            return Ok(());
        }
        folders::create(&self.preprocessed)?;
        self.save(made, &pickle)?;
        report::line(&format!("wrote {}", json.display()));
        Ok(())
    }

    /// The folds that are there. Python v1 writes no JSON.
    fn found(&self, json: &Path) -> Result<Vec<Split>> {
        if self.is_v2 {
            return records::splits_from_json(&nnunet_formats::json::load(json)?);
        }
        records::listed_splits(&self.preprocessed)
    }

    /// v1 reads the pickle, v2 the JSON.
    fn save(&self, made: &[Split], pickle: &Path) -> Result<()> {
        if self.is_v2 {
            return v2::save_splits(&self.preprocessed, made);
        }
        records::save_with_twin(pickle, &records::splits_to_pickle(made))
    }
}

fn show(made: &[Split]) {
    for (index, fold) in made.iter().enumerate() {
        let (train, val) = (fold.train.len(), fold.val.len());
        let object = json!({ "fold": index, "train": fold.train, "val": fold.val });
        report::record(
            "fold",
            &object,
            &format!("fold {index}: {train} cases train, {val} validate: {}", fold.val.join(" ")),
        );
    }
}
