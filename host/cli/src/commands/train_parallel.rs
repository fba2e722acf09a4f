//! Arguments of v1's `train_DP` and `train_DDP`. Both train with one process for each device; v1 multiplies the planned batch
//! size by their number, or with `--dbs` shares it out.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::{launch, train};

/// Arguments of v1's `train_DP`.
#[derive(Debug, clap::Args)]
pub struct DataParallel {
    /// Number of devices. There is a process for each.
    #[arg(long = "gpus", required = true)]
    gpus: usize,
    /// Distribute the planned batch over the devices, instead of using it on each.
    #[arg(long)]
    dbs: bool,
    #[command(flatten)]
    pub(super) train: train::Args,
}

/// Arguments of v1's `train_DDP`.
#[derive(Debug, clap::Args)]
pub struct Distributed {
    /// Set by old launchers; LOCAL_RANK of torchrun or nnunet launch is used instead.
    #[arg(long = "local_rank")]
    local_rank: Option<usize>,
    /// Distribute the planned batch over the processes, instead of using it in each.
    #[arg(long)]
    dbs: bool,
    #[command(flatten)]
    pub(super) train: train::Args,
}

impl DataParallel {
    /// Trains in this process, or starts a process for each device.
    ///
    /// # Errors
    /// Returns the error of the training.
    pub(crate) fn run(&self, train: impl FnOnce(&train::Args) -> Result<ExitCode>) -> Result<ExitCode> {
        ensure!(self.gpus > 0, "-gpus must be at least 1");
        if self.gpus > 1 && !launch::is_launched() {
            return launch::this_command(self.gpus);
        }
        train(&each(&self.train, self.dbs))
    }
}

impl Distributed {
    /// Trains as one of the processes that a launcher has started.
    ///
    /// # Errors
    /// Returns the error of the training, or one for an old launcher.
    pub(crate) fn run(&self, train: impl FnOnce(&train::Args) -> Result<ExitCode>) -> Result<ExitCode> {
        let is_alone = self.local_rank.is_none_or(|rank| rank == 0) || launch::is_launched();
        ensure!(
            is_alone,
            "--local_rank needs WORLD_SIZE, RANK, MASTER_ADDR and MASTER_PORT; start it with torchrun or nnunet launch"
        );
        train(&each(&self.train, self.dbs))
    }
}

fn each(args: &train::Args, shared: bool) -> train::Args {
    train::Args { batch_for_each_rank: !shared, ..args.clone() }
}
