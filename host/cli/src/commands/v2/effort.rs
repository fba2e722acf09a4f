//! Options and helpers of commands that work over many cases or data sets.

use anyhow::{Context, Result};
use nnunet_data::pipeline::{Limits, Part};
use nnunet_data::{failures, memory};

use crate::arguments::{num_parts, part_id};

/// Folds where none is named.
pub(super) const FOLDS: [&str; 5] = ["0", "1", "2", "3", "4"];

/// Options of commands that work over many cases.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Effort {
    /// Do not show a progress bar. There is none if the output is not a terminal.
    #[arg(long = "no_pbar")]
    no_progress_bar: bool,
    /// Memory to use, for example 8G; most of what is free by default.
    #[arg(long = "max_ram", value_name = "SIZE", value_parser = memory::parse_size)]
    max_ram: Option<u64>,
}

/// Options of commands that several jobs share.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Parts {
    /// Number of jobs that share the cases of a data set; with slurm the size of the array job. Each job reads its part of the
    /// cases. Those that run when all cases are read plan, and preprocess their part: run all jobs twice.
    #[arg(long = "num_parts", default_value = "1", value_name = "N", value_parser = num_parts)]
    num_parts: usize,
    /// Index of this job, from 0; with slurm its place in the array job.
    #[arg(long = "part_id", default_value = "0", value_name = "INDEX", value_parser = part_id)]
    part_id: usize,
}

impl Parts {
    /// # Errors
    /// Returns an error if there is no such part.
    pub(super) fn part(&self) -> Result<Part> {
        Part::new(self.part_id, self.num_parts)
    }
}

impl Effort {
    /// Cases at a time, no more than there are cores.
    pub(super) fn limits(&self, processes: usize) -> Limits {
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        let max_ram = self.max_ram.unwrap_or_else(memory::default_budget);
        Limits { threads: processes.clamp(1, machine), max_ram }
    }
}

/// Number of processes where none is given, as in v2.
pub(super) fn default_processes() -> usize {
    from_environment("nnUNet_def_n_proc", 8)
}

/// The number in an environment variable, or `otherwise` where it holds none.
pub(super) fn from_environment(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise)
}

/// Does something with every data set. One that fails does not stop the others.
pub(super) fn for_each(datasets: &[String], work: impl Fn(&str) -> Result<()>) -> Result<()> {
    let one = |dataset: &String| work(dataset).with_context(|| dataset.clone());
    failures::all("data sets failed", datasets.iter().map(one).collect()).map(drop)
}
