//! The command line: arguments and work of every command that needs no tensors, and what is printed.

pub mod commands;
mod config_values;
pub mod differences;
pub mod pictures;
pub mod report;
