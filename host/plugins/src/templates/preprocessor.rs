//! MyPreprocessor: a preprocessor for nnunet, and the planner that names it in its plans.

use nnunet_plugin_api::{
    CaseArrays, Component, Info, Kind, Planner, PlannerSettings, PreprocessContext, Preprocessor,
    PreprocessorSettings, Registration, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Preprocessor, "MyPreprocessor", "GenericPreprocessor with changes.");
    Component::preprocessor(info, |_config| Ok(Box::new(MyPreprocessor)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "MyPreprocessorPlanner", "Plans for MyPreprocessor.");
    Component::planner(info, |_config| Ok(Box::new(MyPreprocessorPlanner)))
}));

struct MyPreprocessor;

impl Preprocessor for MyPreprocessor {
    fn extends(&self) -> String {
        "GenericPreprocessor".to_owned()
    }

    /// Changes the parent's settings: here linear instead of cubic resampling of images.
    fn configure(&self, settings: &mut PreprocessorSettings) -> Result<()> {
        settings.order_data = 1;
        Ok(())
    }

    /// Replaces resampling and normalization; `None` leaves them to the settings.
    fn resample_and_normalize(
        &self,
        _case: &CaseArrays,
        _context: &PreprocessContext,
    ) -> Result<Option<CaseArrays>> {
        Ok(None)
    }
}

struct MyPreprocessorPlanner;

impl Planner for MyPreprocessorPlanner {
    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansMyPreprocessor".to_owned();
        settings.data_identifier = "nnUNetData_MyPreprocessor".to_owned();
        settings.preprocessor = "MyPreprocessor".to_owned();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planner_names_the_preprocessor() {
        let mut settings = PlannerSettings::default();
        MyPreprocessorPlanner.configure(&mut settings).unwrap();
        assert_eq!(settings.preprocessor, "MyPreprocessor");
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
