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
    /// Names, parents and one line each.
    List,
    /// All values of a trainer; those that differ from its root are marked.
    Show {
        /// Name of the trainer.
        trainer: String,
        /// What it is for.
        #[command(flatten)]
        for_: For,
    },
    /// The values in which two trainers differ.
    Diff {
        /// First trainer.
        a: String,
        /// Second trainer.
        b: String,
        /// What it is for.
        #[command(flatten)]
        for_: For,
    },
}

/// What the trainer is for: a few look at it.
#[derive(Debug, clap::Args)]
pub struct For {
    /// 2d, 3d_lowres, 3d_fullres or 3d_cascade_fullres.
    #[arg(long, default_value = "3d_fullres")]
    pub configuration: String,
}
