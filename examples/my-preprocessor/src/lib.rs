//! A preprocessor as a plugin: no resampling, and every channel's intensities replaced by their rank between 0 and 1
//! (histogram equalisation); and the planner that names it. It needs no libtorch.
//!
//! ```sh
//! cargo build --release -p my-preprocessor
//! nnunet --plugin target/release/libmy_preprocessor.so plan_and_preprocess -t 4 -pl3d RankPlanner -pl2d None
//! ```

use nnunet_plugin_api::{
    CaseArrays, Component, Info, Kind, Planner, PlannerSettings, PreprocessContext, Preprocessor,
    Registration, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Preprocessor, "RankPreprocessor", "Intensities by rank, no resampling.");
    Component::preprocessor(info, |_config| Ok(Box::new(RankPreprocessor)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "RankPlanner", "Plans for RankPreprocessor.");
    Component::planner(info, |_config| Ok(Box::new(RankPlanner)))
}));

struct RankPlanner;

impl Planner for RankPlanner {
    fn extends(&self) -> String {
        "ExperimentPlanner3D_v21_noResampling".to_owned()
    }

    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansRank".to_owned();
        settings.data_identifier = "nnUNetData_rank".to_owned();
        settings.preprocessor = "RankPreprocessor".to_owned();
        Ok(())
    }
}

struct RankPreprocessor;

impl Preprocessor for RankPreprocessor {
    fn resample_and_normalize(
        &self,
        case: &CaseArrays,
        _context: &PreprocessContext,
    ) -> Result<Option<CaseArrays>> {
        let mut case = case.clone();
        for mut channel in case.data.outer_iter_mut() {
            let mut sorted: Vec<f32> = channel.iter().copied().collect();
            sorted.sort_by(f32::total_cmp);
            let below = |value: f32| sorted.partition_point(|other| *other < value);
            channel.mapv_inplace(|value| below(value) as f32 / sorted.len() as f32);
        }
        Ok(Some(case))
    }
}
