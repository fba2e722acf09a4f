//! `launch`: a training as several processes on this machine.

mod rank_process;
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use self::run::Launch;
use crate::global_options::GlobalOptions;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Number of processes; process N of this machine uses GPU N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    nproc: u16,
    /// How often all processes are started again after one has failed. They go on from the last checkpoint.
    #[arg(long = "max_restarts", default_value_t = 0, value_name = "N")]
    max_restarts: usize,
    /// The training, after --: train, train_DDP or v2 train with their arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs the command.
///
/// # Errors
/// Returns an error that names the process that failed first.
pub(crate) fn run(args: &Args, options: &GlobalOptions) -> Result<ExitCode> {
    let json = options.json.then(|| "--json".to_owned());
    let words = options.to_words().into_iter().chain(json).map(OsString::from);
    let words = words.chain(args.command.iter().cloned()).collect();
    Launch { words, size: usize::from(args.nproc), restarts: args.max_restarts }.run()
}

/// Runs the command line of this process in several processes. To be called by commands that have a number of devices among
/// their arguments.
///
/// # Errors
/// As [`run`].
pub(crate) fn this_command(size: usize) -> Result<ExitCode> {
    Launch { words: std::env::args_os().skip(1).collect(), size, restarts: 0 }.run()
}

/// Whether a launcher has started this process.
pub(crate) fn is_launched() -> bool {
    std::env::var_os("WORLD_SIZE").is_some()
}
