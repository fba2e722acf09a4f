//! v1's planners by class name: each is a few values on its parent.

use nnunet_plugin_api::{
    Component, Info, Kind, Planner, PlannerSettings, Registration, Result, SpacingRule, inventory,
};

/// A planner that only changes values.
struct Table {
    name: &'static str,
    extends: &'static str,
    summary: &'static str,
    change: fn(&mut PlannerSettings),
}

struct FromTable(&'static Table);

impl Planner for FromTable {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        (self.0.change)(settings);
        Ok(())
    }
}

/// v1's reference for a 2D network of 32 features.
const VRAM_REFERENCE_2D: f64 = 19_739_648.0 * 50.0 / 2.0;
/// v1's reference for a 3D network of 30 features in 8 GB.
const VRAM_REFERENCE_3D: f64 = 520_000_000.0;

fn identifiers(settings: &mut PlannerSettings, plans: &str, data: &str) {
    settings.plans_identifier = plans.to_owned();
    settings.data_identifier = data.to_owned();
}

const TABLES: [Table; 9] = [
    Table {
        name: "ExperimentPlanner3D_v21",
        extends: "",
        summary: "3D: v1's default planner.",
        change: |_| {},
    },
    Table {
        name: "ExperimentPlanner2D_v21",
        extends: "",
        summary: "2D: v1's default planner for slices.",
        change: |settings| {
            settings.dimensions = 2;
            settings.data_identifier = "nnUNetData_plans_v2.1_2D".to_owned();
            settings.max_num_features = 512;
            settings.vram_reference = VRAM_REFERENCE_2D;
            settings.spacing_rule = SpacingRule::Median;
            settings.store_conv_per_stage = false;
            settings.preprocessor = "PreprocessorFor2D".to_owned();
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_11GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 11 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_big", "nnUNetData_plans_v2.1_big");
            settings.vram_reference = VRAM_REFERENCE_3D * 11.0 / 8.0;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_16GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 16 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_16GB", "nnUNetData_plans_v2.1_16GB");
            settings.vram_reference = VRAM_REFERENCE_3D * 16.0 / 8.5;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_32GB",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: patches for cards of 32 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_verybig", "nnUNetData_plans_v2.1_verybig");
            settings.vram_reference = VRAM_REFERENCE_3D * 32.0 / 8.0;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_3cps",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: three convolutions per stage.",
        change: |settings| {
            settings.plans_identifier = "nnUNetPlansv2.1_3cps".to_owned();
            settings.conv_per_stage = 3;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_customTargetSpacing_2x2x2",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: everything at 2 x 2 x 2 mm.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_trgSp_2x2x2", "nnUNetData_plans_v2.1_trgSp_2x2x2");
            settings.target_spacing = Some([2.0; 3]);
            settings.base_num_features = 30;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_noResampling",
        extends: "ExperimentPlanner3D_v21",
        summary: "3D: cases keep their spacing; no low-resolution stage.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes", "nnUNetData_noRes_plans_v2.1");
            settings.preprocessor = "PreprocessorFor3D_NoResampling".to_owned();
            settings.lowres = false;
        },
    },
    Table {
        name: "ExperimentPlanner3D_v21_noResampling_16GB",
        extends: "ExperimentPlanner3D_v21_16GB",
        summary: "3D: cases keep their spacing, for cards of 16 GB.",
        change: |settings| {
            identifiers(settings, "nnUNetPlansv2.1_noRes_16GB", "nnUNetData_noRes_plans_16GB_v2.1");
            settings.preprocessor = "PreprocessorFor3D_NoResampling".to_owned();
            settings.lowres = false;
        },
    },
];

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
    static ALL: [Table; TABLES.len()] = TABLES;
    let table = &ALL[I];
    Component::planner(Info::new(Kind::Planner, table.name, table.summary), |_| {
        Ok(Box::new(FromTable(table)))
    })
}

macro_rules! submit {
    ($($i:literal)*) => { $(inventory::submit!(Registration(component::<$i>));)* };
}

submit!(0 1 2 3 4 5 6 7 8);

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::{Factory, Registration};

    use super::*;

    #[test]
    fn every_table_is_registered() {
        let registered: Vec<String> =
            inventory::iter::<Registration>().map(|r| (r.0)().info.name.into_owned()).collect();
        assert_eq!(registered.len(), NAMES.len());
        assert!(NAMES.iter().all(|name| registered.iter().any(|other| other == name)));
    }

    #[test]
    fn a_child_inherits_its_parents_values() {
        let lookup = |name: &str| {
            let found = inventory::iter::<Registration>().map(|r| (r.0)()).find(|c| c.info.name == name);
            match found.map(|component| component.factory) {
                Some(Factory::Planner(make)) => make(&Default::default()),
                _ => Err(nnunet_plugin_api::Error::message(format!("no {name}"))),
            }
        };
        let settings = crate::resolve("ExperimentPlanner3D_v21_noResampling_16GB", &lookup).unwrap().settings;
        assert_eq!(settings.vram_reference, VRAM_REFERENCE_3D * 16.0 / 8.5);
        assert!(!settings.lowres);
    }
}
