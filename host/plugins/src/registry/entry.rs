//! Registered components and their status.

use std::fmt;

use nnunet_plugin_core::{Component, Config, Kind};
use serde::Serialize;

use super::origin::Origin;

/// The result of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The name was free.
    Added,
    /// It is used in place of another component of this name.
    Shadows,
    /// A component of this name with higher precedence is there already.
    Shadowed,
    /// Another plugin of the same rank has the name: using the bare name is an error from now on.
    Ambiguous,
}

/// One known component.
#[derive(Debug)]
pub struct Entry {
    /// Description and factory.
    pub component: Component,
    /// Plugin it belongs to; empty for built-ins.
    pub plugin: String,
    /// Where it comes from.
    pub origin: Origin,
    pub(super) status: Status,
    pub(super) preset: Option<Preset>,
    /// The table that describes it, without its parent's name.
    pub(super) table: Option<Config>,
}

/// A name for another component with other parameters.
#[derive(Debug, Clone)]
pub struct Preset {
    /// The component.
    pub extends: String,
    /// Parameters that differ from its defaults.
    pub changes: Config,
}

/// State of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Part of the program, in use.
    BuiltIn,
    /// From a plugin or a config file, in use.
    Loaded,
    /// Hidden behind another component of the same name.
    Shadowed,
    /// Shares its name with another plugin's.
    Ambiguous,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::BuiltIn => "built-in",
            Status::Loaded => "loaded",
            Status::Shadowed => "shadowed",
            Status::Ambiguous => "ambiguous",
        })
    }
}

impl Entry {
    pub(super) fn is(&self, kind: Kind, name: &str) -> bool {
        self.component.info.kind == kind && self.component.info.name == name
    }

    /// The table of a trainer, planner or preprocessor that a configuration file describes, without its parent's name.
    #[must_use]
    pub fn table(&self) -> Option<&Config> {
        self.table.as_ref()
    }

    /// Its state.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }
}
