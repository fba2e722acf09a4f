//! Options and helpers of commands that work over many cases or data sets.

use anyhow::{Context, Result};
use nnunet_data::pipeline::Limits;
use nnunet_data::{failures, memory};

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
