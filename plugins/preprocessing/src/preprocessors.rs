//! v1's preprocessors by class name: each changes a few settings of its parent.

use nnunet_plugin_core::{
    Component, Info, Kind, Preprocessor, PreprocessorSettings, Registration, Result, inventory,
};

/// A preprocessor that only changes settings.
struct Table {
    name: &'static str,
    extends: &'static str,
    summary: &'static str,
    change: fn(&mut PreprocessorSettings),
}

struct FromTable(&'static Table);

impl Preprocessor for FromTable {
    fn extends(&self) -> String {
        self.0.extends.to_owned()
    }

    fn configure(&self, settings: &mut PreprocessorSettings) -> Result<()> {
        (self.0.change)(settings);
        Ok(())
    }
}

const TABLES: [Table; 11] = [
    Table {
        name: "GenericPreprocessor",
        extends: "",
        summary: "Cubic resampling, one axis apart where spacing is very anisotropic; v1's default.",
        change: |_| {},
    },
    Table {
        name: "GenericPreprocessor_linearResampling",
        extends: "GenericPreprocessor",
        summary: "Linear resampling of images.",
        change: |settings| settings.order_data = 1,
    },
    Table {
        name: "Preprocessor3DDifferentResampling",
        extends: "GenericPreprocessor",
        summary: "Cubic along the separate axis too.",
        change: |settings| {
            settings.order_z_data = 3;
            settings.order_z_seg = 1;
        },
    },
    Table {
        name: "Preprocessor3DBetterResampling",
        extends: "GenericPreprocessor",
        summary: "Never an axis apart; cubic label indicators.",
        change: |settings| {
            settings.force_separate_z = Some(false);
            settings.order_seg = 3;
        },
    },
    Table {
        name: "PreprocessorFor2D",
        extends: "GenericPreprocessor",
        summary: "Slices: the first axis keeps its spacing.",
        change: |settings| {
            settings.keep_first_axis_spacing = true;
            settings.remove_nan = false;
        },
    },
    Table {
        name: "PreprocessorFor2D_edgeLength512",
        extends: "PreprocessorFor2D",
        summary: "Single slices, scaled so that the shorter edge has 512 pixels.",
        change: |settings| settings.fixed_edge_length = Some(512),
    },
    Table {
        name: "PreprocessorFor2D_edgeLength768",
        extends: "PreprocessorFor2D",
        summary: "Single slices, scaled so that the shorter edge has 768 pixels.",
        change: |settings| settings.fixed_edge_length = Some(768),
    },
    Table {
        name: "PreprocessorFor3D_LeaveOriginalZSpacing",
        extends: "GenericPreprocessor",
        summary: "Volumes whose first axis keeps its spacing.",
        change: |settings| settings.keep_first_axis_spacing = true,
    },
    Table {
        name: "PreprocessorFor3D_NoResampling",
        extends: "GenericPreprocessor",
        summary: "Every case keeps its spacing.",
        change: |settings| settings.keep_spacing = true,
    },
    Table {
        name: "GenericPreprocessor_scale_uint8_to_0_1",
        extends: "PreprocessorFor2D",
        summary: "Slices of 8-bit images, divided by 255.",
        change: |settings| settings.normalization = Some("scale_uint8_to_0_1".to_owned()),
    },
    Table {
        name: "DefaultPreprocessor",
        extends: "",
        summary: "v2's default: normalizes, then resamples as the plans say.",
        change: |settings| settings.remove_nan = false,
    },
];

/// Names of the preprocessors of this crate.
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
    Component::preprocessor(Info::new(Kind::Preprocessor, table.name, table.summary), |_| {
        Ok(Box::new(FromTable(table)))
    })
}

macro_rules! submit {
    ($($i:literal)*) => { $(inventory::submit!(Registration(component::<$i>));)* };
}

submit!(0 1 2 3 4 5 6 7 8 9 10);
