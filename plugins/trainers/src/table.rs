//! v1's trainers as components: each is a row of a table.

use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_plugin_api::{Component, Error, Info, Kind, Result, Trainer, TrainerContext};

/// A trainer that changes values.
pub(crate) struct Row {
    /// v1's class.
    pub name: &'static str,
    /// The trainer whose values it starts from; empty for a root.
    pub extends: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// What it changes.
    pub change: fn(&mut Blueprint, &TrainerContext),
}

struct FromRow(&'static Row);

impl Trainer for FromRow {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, blueprint: &mut Blueprint, context: &TrainerContext) -> Result<()> {
        (self.0.change)(blueprint, context);
        Ok(())
    }
}

/// The component of a row.
pub(crate) fn component(row: &'static Row) -> Component {
    let mut info = Info::new(Kind::Trainer, row.name, row.summary);
    if row.extends.is_empty() {
        let mut blueprint = Blueprint::default();
        (row.change)(&mut blueprint, &TrainerContext::default());
        info = info.with_defaults(&blueprint);
    }
    Component::trainer(info, move |_| Ok(Box::new(FromRow(row))))
}

/// A class of v1 that cannot train: naming it gives the reason.
pub(crate) fn unavailable(name: &'static str, reason: &'static str) -> Component {
    let info = Info::new(Kind::Trainer, name, format!("Not available: {reason}"));
    Component::trainer(info, move |_| Err::<Box<dyn Trainer>, _>(Error::message(reason)))
}

/// Submits rows: the name, its parent in parentheses, the summary, and what changes.
macro_rules! trainers {
    ($($name:literal ($parent:literal) $summary:literal $change:expr;)*) => {
        $(nnunet_plugin_api::inventory::submit!(nnunet_plugin_api::Registration(|| {
            static ROW: $crate::table::Row =
                $crate::table::Row { name: $name, extends: $parent, summary: $summary, change: $change };
            $crate::table::component(&ROW)
        }));)*
    };
}
pub(crate) use trainers;
