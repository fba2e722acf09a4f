//! The program without tensors: registry, loader of plugins, configuration, files and folders, and the commands that
//! need no network.
//!
//! `nnunet-host-torch` adds training and prediction on top.

mod builtin;
pub mod commands;
pub mod components;
pub mod config;
pub mod dataset;
pub mod differences;
pub mod exchange;
pub mod export;
pub mod folders;
pub mod images;
pub mod integrity;
pub mod loader;
pub mod memory;
pub mod phantom;
pub mod pictures;
pub mod pipeline;
pub mod plugins;
pub mod records;
pub mod registry;
pub mod report;
pub mod selection;
pub mod services;
pub mod summary;
pub mod v2;
pub mod world;

pub use builtin::built_in;
