//! A planner as a plugin: cases are resampled to cubes whose edge is the median of all spacings, and smaller patches see
//! more of a case. Everything else is `ExperimentPlanner3D_v21`'s. It needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-planner
//! nnunet --plugin target/release/libmy_planner.so plan_and_preprocess -t 4 -pl3d MyPlanner -pl2d None
//! nnunet train 3d_fullres nnUNetTrainerV2 4 0 -p nnUNetPlansCubes
//! ```

use nnunet_plugin_api::vocabulary::{Fingerprint, Plans};
use nnunet_plugin_api::{
    Component, Error, Info, Kind, Planner, PlannerSettings, Registration, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "MyPlanner", "Cubic voxels of the median spacing, larger batches.");
    Component::planner(info, |_config| Ok(Box::new(MyPlanner)))
}));

struct MyPlanner;

impl Planner for MyPlanner {
    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansCubes".to_owned();
        settings.data_identifier = "nnUNetData_plans_cubes".to_owned();
        settings.lowres_threshold = 8.0;
        Ok(())
    }

    fn target_spacing(&self, fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
        let mut all: Vec<f64> = fingerprint.all_spacings.iter().flatten().copied().collect();
        all.sort_by(f64::total_cmp);
        let middle = all.get(all.len() / 2).ok_or_else(|| Error::message("a data set without cases"))?;
        Ok(Some([*middle; 3]))
    }

    fn finish(&self, plans: &mut Plans) -> Result<()> {
        for stage in &mut plans.plans_per_stage {
            stage.batch_size += 1;
        }
        Ok(())
    }
}
