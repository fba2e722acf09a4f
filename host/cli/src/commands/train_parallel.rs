//! Arguments of v1's `train_DP` and `train_DDP`. Training runs on one device, where both are `train`: v1 multiplies the
//! planned batch size by the number of devices, or with `--dbs` shares it out.

use anyhow::{Result, ensure};

use super::train;

/// Arguments of v1's `train_DP`.
#[derive(Debug, clap::Args)]
pub struct DataParallel {
    /// Number of devices; only one can be used.
    #[arg(long = "gpus", required = true)]
    gpus: usize,
    /// Distribute the planned batch over the devices, instead of using it on each; no effect on one device.
    #[arg(long)]
    dbs: bool,
    #[command(flatten)]
    pub(super) train: train::Args,
}

/// Arguments of v1's `train_DDP`.
#[derive(Debug, clap::Args)]
pub struct Distributed {
    /// Set by the launcher; only 0 is supported.
    #[arg(long = "local_rank", default_value_t = 0)]
    local_rank: usize,
    /// Distribute the planned batch over the devices, instead of using it on each; no effect on one device.
    #[arg(long)]
    dbs: bool,
    #[command(flatten)]
    pub(super) train: train::Args,
}

impl DataParallel {
    /// Arguments for the one device.
    ///
    /// # Errors
    /// Returns an error for more than one device, or none.
    pub fn on_one_device(&self) -> Result<&train::Args> {
        one_device(self.gpus, "-gpus 1")?;
        Ok(&self.train)
    }
}

impl Distributed {
    /// Arguments for the one device.
    ///
    /// # Errors
    /// Returns an error if a launcher has started several processes.
    pub fn on_one_device(&self) -> Result<&train::Args> {
        let processes = std::env::var("WORLD_SIZE").ok().and_then(|value| value.parse().ok()).unwrap_or(1);
        one_device(processes.max(self.local_rank + 1), "one process (WORLD_SIZE 1)")?;
        Ok(&self.train)
    }
}

fn one_device(devices: usize, remedy: &str) -> Result<()> {
    ensure!(
        devices == 1,
        "training runs on one device, not on {devices}: use {remedy}, or train the folds on one device each"
    );
    Ok(())
}
