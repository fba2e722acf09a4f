//! v1's planners as components: one row of [`TABLES`] each.

use nnunet_plugin_core::{Component, Info, Kind, Planner, PlannerSettings, Registration, Result, inventory};

use crate::table::Table;
use crate::tables::TABLES;

/// The planner of a row.
pub(crate) struct FromTable(pub(crate) &'static Table);

impl Planner for FromTable {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        (self.0.change)(settings);
        Ok(())
    }
}

/// Names of the planners of this crate.
pub const NAMES: [&str; TABLES.len()] = {
    let mut names = [""; TABLES.len()];
    let mut i = 0;
    while i < TABLES.len() {
        names[i] = TABLES[i].name;
        i += 1;
    }
    names
};

fn component<const I: usize>() -> Component {
    let table = &TABLES[I];
    Component::planner(Info::new(Kind::Planner, table.name, table.summary), |_| {
        Ok(Box::new(FromTable(table)))
    })
}

macro_rules! submit {
    ($($i:literal)*) => { $(inventory::submit!(Registration(component::<$i>));)* };
}

submit!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25);

#[cfg(test)]
mod tests {
    use nnunet_plugin_core::{Factory, Registration};

    use super::*;

    #[test]
    fn every_table_is_registered() {
        let registered: Vec<String> =
            inventory::iter::<Registration>().map(|r| (r.0)().info.name.into_owned()).collect();
        assert_eq!(registered.len(), NAMES.len() + crate::v2::NAMES.len());
        assert!(NAMES.iter().all(|name| registered.iter().any(|other| other == name)));
    }

    #[test]
    fn a_child_inherits_its_parents_values() {
        let lookup = |name: &str| {
            let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
            match found.map(|component| component.factory) {
                Some(Factory::Planner(make)) => make(&Default::default()),
                _ => Err(nnunet_plugin_core::Error::message(format!("no {name}"))),
            }
        };
        let settings = crate::resolve("ExperimentPlanner3D_v21_noResampling_16GB", &lookup).unwrap().settings;
        assert_eq!(settings.vram_reference, 520_000_000.0 * 16.0 / 8.5);
        assert!(!settings.lowres);
    }
}
