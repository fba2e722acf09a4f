//! The command line: arguments of all commands, the work of those that need no tensors, and what is printed.

mod arguments;
#[cfg(test)]
mod callers;
mod cli;
pub mod commands;
mod config_values;
mod defaults;
pub mod differences;
pub mod doctor;
mod global_options;
mod help;
pub mod label_dice;
pub mod label_tables;
mod links;
mod metrics_table;
pub mod pictures;
pub mod report;
mod run;
mod stop_signals;

pub use cli::process_arguments;
pub use commands::TensorCommands;
pub use global_options::GlobalOptions;
pub use run::main;
pub use stop_signals::stop_signals;
