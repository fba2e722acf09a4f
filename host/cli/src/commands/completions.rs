//! `completions`: prints a completion script for a shell.

use anyhow::Result;
use clap_complete::Shell;
use serde_json::json;

use crate::report;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &Args, mut command: clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "nnunet", &mut script);
    let script = String::from_utf8(script)?;
    let fields = json!({ "shell": args.shell.to_string(), "script": script });
    report::record("completions", &fields, script.trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_shell_has_a_script() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "nnunet", &mut script);
            assert!(String::from_utf8(script).unwrap().contains("plan_and_preprocess"), "{shell}");
        }
    }
}
