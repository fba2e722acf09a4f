//! Options of all commands, and what follows from them.

use std::path::PathBuf;

use anyhow::Result;
use nnunet_data::folders::Folders;
use nnunet_data::images;
use nnunet_engine::component_set::ComponentSet;
use nnunet_engine::config::File;
use nnunet_engine::session::Session;

use crate::help::GLOBAL_OPTIONS;
use crate::report::{self, Style};

/// Options of all commands.
#[derive(Debug, clap::Args)]
#[command(rename_all = "snake_case")]
pub struct GlobalOptions {
    /// Print results and errors only.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub quiet: bool,
    /// Print one JSON object per line.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub json: bool,
    /// Print more messages; -vv prints all of them.
    #[arg(short = 'v', long, global = true, help_heading = GLOBAL_OPTIONS, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Also write all messages to a file, with times.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Configuration file to use instead of nnunet.toml in this folder or one above it.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Plugin to load; may be given several times.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS, value_name = "FILE")]
    pub plugin: Vec<PathBuf>,
    /// Do not flush files to the disk; a power failure may then leave empty files.
    #[arg(long, global = true, help_heading = GLOBAL_OPTIONS)]
    pub no_fsync: bool,
    /// The configuration files.
    #[arg(skip)]
    pub files: Vec<File>,
}

impl GlobalOptions {
    /// Starts printing messages, progress and results in the chosen style.
    ///
    /// # Errors
    /// Returns an error if the log file cannot be created.
    pub(crate) fn start_report(&self) -> Result<()> {
        let style = match (self.json, self.quiet) {
            (true, _) => Style::Json,
            (false, true) => Style::Quiet,
            (false, false) => Style::Human,
        };
        report::start(style, self.verbose, self.log_file.as_deref())
    }

    /// The folders of data and models.
    #[must_use]
    pub fn folders(&self) -> Folders {
        Folders::new(&self.files)
    }

    /// The options that a command started by this one needs too.
    pub(crate) fn to_words(&self) -> Vec<String> {
        let file = |path: &PathBuf| path.display().to_string();
        let config = self.config.iter().flat_map(|path| ["--config".to_owned(), file(path)]);
        let plugins = self.plugin.iter().flat_map(|path| ["--plugin".to_owned(), file(path)]);
        let no_fsync = self.no_fsync.then(|| "--no_fsync".to_owned());
        config.chain(plugins).chain(no_fsync).collect()
    }

    /// Opens a session with the configuration files and plugins of this command line.
    ///
    /// # Errors
    /// Returns an error if a configuration file is invalid or a named plugin cannot be used.
    pub fn session(&self, set: ComponentSet) -> Result<Session> {
        let session = Session::open(set, self.config.as_deref(), &self.plugin)?;
        images::install(&session.registry);
        Ok(session)
    }
}
