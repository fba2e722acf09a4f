//! The plugin engine: which components there are, where they come from, and which of them a name means.
//!
//! [`session::Session::open`] reads configuration files, looks for plugins, checks and loads them, and fills the
//! [`registry::Registry`].

mod api_sources;
pub mod build;
mod builtin;
pub mod clock;
pub mod component_set;
pub mod components;
pub mod config;
pub mod discovery;
mod inline_toml;
pub mod loader;
pub mod lock;
pub mod pin;
pub mod plugin;
pub mod probe;
pub mod progress;
pub mod provenance;
pub mod reference;
pub mod registry;
pub mod run_log;
pub mod scaffold;
mod section;
pub mod services;
pub mod session;
pub mod ship;
pub mod stdout;
pub mod trust;
pub mod user_folders;

pub use builtin::built_in;
pub use inline_toml::inline_toml;
