//! The program with libtorch: all commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    nnunet_host_torch::main()
}
