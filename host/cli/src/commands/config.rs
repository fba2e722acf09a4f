//! `config`: the effective configuration, and its schema.

use anyhow::Result;
use clap::Subcommand;
use nnunet_engine::config;
use serde_json::json;

use crate::config_values::{self, Row};
use crate::global_options::GlobalOptions;
use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
pub(crate) fn run(args: &Args, options: &GlobalOptions) -> Result<()> {
    match args.command {
        Command::Show { origin } => show(options, origin),
        Command::Schema => {
            let document = config::schema();
            let text = serde_json::to_string_pretty(&document)?;
            report::record("config_schema", &json!({ "document": document }), &text);
            Ok(())
        }
    }
}

fn show(options: &GlobalOptions, origin: bool) -> Result<()> {
    let rows = config_values::rows(&options.files, options.config.as_deref(), &options.plugin)?;
    let text = |row: &Row| format!("{} = {}", row.key, row.value);
    if report::is_json() {
        for Row { key, value, origin } in &rows {
            let fields = json!({ "key": key, "value": config_values::parsed(value), "origin": origin });
            report::event("setting", &fields);
        }
    } else if origin {
        report::result(&report::table(rows.iter().map(|row| [text(row), format!("# {}", row.origin)])));
    } else {
        rows.iter().for_each(|row| report::result(&text(row)));
    }
    Ok(())
}
