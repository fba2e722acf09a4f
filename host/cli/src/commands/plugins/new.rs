//! `plugins new`: creates a crate for a new plugin.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_engine::scaffold::Scaffold;
use nnunet_plugin_core::Kind;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the plugin adds.
    #[arg(value_parser = super::kind::kind, help = super::kind::help())]
    kind: Kind,
    /// Name of the crate, such as my-trainer; the component is then called MyTrainer.
    name: String,
    /// Language of the crate.
    #[arg(long, value_enum, default_value_t)]
    lang: Language,
    /// Sources of nnunet-plugin-api for the crate's .cargo/config.toml. By default those of the checkout that this program
    /// or the current folder is in, else those that this program has.
    #[arg(long, value_name = "FOLDER")]
    api: Option<PathBuf>,
}

/// Languages with templates.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Language {
    #[default]
    Rust,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let Language::Rust = args.lang;
    let scaffold = Scaffold { kind: args.kind, name: args.name.clone(), api: args.api.clone() };
    scaffold.write(Path::new(&args.name))?;
    report::line(&format!("wrote {} {} in {}/", args.kind, scaffold.component(), args.name));
    report::line("edit src/lib.rs there, then:");
    scaffold.next()?.lines().for_each(|line| report::line(&format!("  {line}")));
    Ok(())
}
