//! A planner as a row of a table.

use nnunet_plugin_core::PlannerSettings;

/// A planner that only changes values.
pub(crate) struct Table {
    /// v1's class.
    pub name: &'static str,
    /// The planner whose values it starts from; empty for a root.
    pub extends: &'static str,
    /// One human-readable line.
    pub summary: &'static str,
    /// What it changes.
    pub change: fn(&mut PlannerSettings),
}
