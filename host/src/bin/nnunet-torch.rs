//! The program with tensors: training and prediction.

use std::process::ExitCode;

use anyhow::Result;
use nnunet_cli::report;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let cli = nnunet_cli::commands::Cli::from_process()?;
    cli.set_style();
    nnunet_host_torch::run(&cli)
}
