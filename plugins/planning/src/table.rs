//! A planner as a row of a table.

use nnunet_plugin_core::PlannerSettings;

/// A planner that only changes settings.
pub(crate) struct Table {
    /// Class name in v1.
    pub name: &'static str,
    /// The planner it extends; empty if it extends none.
    pub extends: &'static str,
    /// One-line description.
    pub summary: &'static str,
    /// Changes the settings of the parent.
    pub change: fn(&mut PlannerSettings),
}
