//! `config`: the effective configuration, and its schema.

use anyhow::Result;
use clap::Subcommand;
use nnunet_engine::config;
use serde_json::json;

use crate::cli::Cli;
use crate::{config_values, report};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the effective configuration.
    Show {
        /// Also print where each value comes from: flag, environment, project file, user file or default.
        #[arg(long)]
        origin: bool,
    },
    /// Print the JSON Schema of nnunet.toml, for editors.
    Schema,
}

/// Runs the command.
///
/// # Errors
/// Returns an error for a configuration file that cannot be used.
pub(super) fn run(args: &Args, cli: &Cli) -> Result<()> {
    match args.command {
        What::Show { origin } => show(cli, origin),
        What::Schema => {
            report::result(&serde_json::to_string_pretty(&config::schema())?);
            Ok(())
        }
    }
}

fn show(cli: &Cli, origin: bool) -> Result<()> {
    let files = config::files(cli.config.as_deref())?;
    for row in config_values::rows(&files, cli.config.as_deref(), &cli.plugin)? {
        let text = format!("{} = {}", row.key, row.value);
        if report::is_json() {
            let value = json!({ "key": row.key, "value": row.value, "origin": row.origin });
            report::result(&value.to_string());
        } else if origin {
            report::result(&format!("{text:<60} # {}", row.origin));
        } else {
            report::result(&text);
        }
    }
    Ok(())
}
