//! The program with libtorch: all commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    nnunet_cli::main(&nnunet_host_torch::WithTensors)
}
