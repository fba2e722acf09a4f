//! `example-dataset`: a raw task of phantoms.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use nnunet_data::phantom::{PhantomOptions, write_task};
use nnunet_ingest::examples;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of raw tasks in which the task's folder is made.
    #[arg(short = 'o', long)]
    output: PathBuf,
    /// What is made: a task, or images and masks for `ingest`.
    #[arg(long = "as", value_enum, default_value_t)]
    form: Form,
    /// Name of the task.
    #[arg(long, default_value = "Task900_Phantom")]
    task: String,
    /// Training cases.
    #[arg(long, default_value_t = 12)]
    train: usize,
    /// Test cases.
    #[arg(long, default_value_t = 3)]
    test: usize,
    /// Random seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What is made.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Form {
    /// A raw task.
    #[default]
    Task,
    /// A folder of DICOM files for each case, and masks.
    Dicom,
    /// A PNG picture for each case, and masks with the values 0, 127 and 255.
    Pictures,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a folder that exists already, or an I/O error.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = args.output.join(&args.task);
    ensure!(!folder.exists(), "{} exists already; choose another --task or remove it", folder.display());
    ensure!(args.train >= 5, "at least 5 training cases are needed: there are 5 folds");
    let options = PhantomOptions { seed: args.seed, train_cases: args.train, test_cases: args.test };
    match args.form {
        Form::Task => write_task(&folder, &args.task, &options)?,
        Form::Dicom => examples::write_dicom(&folder, &options)?,
        Form::Pictures => examples::write_pictures(&folder, &options)?,
    }
    report::line(&format!("{} training and {} test cases in {}", args.train, args.test, folder.display()));
    Ok(())
}
