//! Arguments of `trainers`; trainers are resolved where tensors are.

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List all trainers with their parents and a summary.
    List,
    /// Show a trainer's resolved settings; those that differ from its root are marked.
    Show {
        /// Name of the trainer.
        trainer: String,
        /// The task the trainer is resolved for.
        #[command(flatten)]
        for_: For,
    },
    /// Show the settings in which two trainers differ.
    Diff {
        /// First trainer.
        a: String,
        /// Second trainer.
        b: String,
        /// The task the trainer is resolved for.
        #[command(flatten)]
        for_: For,
    },
}

/// The task a trainer is resolved for; a few trainers depend on it.
#[derive(Debug, clap::Args)]
pub struct For {
    /// 2d, 3d_lowres, 3d_fullres or 3d_cascade_fullres.
    #[arg(long, default_value = DEFAULT_CONFIGURATION)]
    pub configuration: String,
}

const DEFAULT_CONFIGURATION: &str = "3d_fullres";

impl Default for For {
    fn default() -> Self {
        Self { configuration: DEFAULT_CONFIGURATION.to_owned() }
    }
}
