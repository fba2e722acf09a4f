//! The program with tensors: training and prediction.

use std::process::ExitCode;

use nnunet_host::report;

fn main() -> ExitCode {
    let cli = nnunet_host::commands::Cli::from_process();
    cli.set_style();
    match nnunet_host_torch::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}
