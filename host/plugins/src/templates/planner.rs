//! MyPlanner: a planner for nnunet.

use nnunet_plugin_api::vocabulary::{Fingerprint, Plans};
use nnunet_plugin_api::{
    Component, Info, Kind, Planner, PlannerSettings, Registration, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "MyPlanner", "ExperimentPlanner3D_v21 with changes.");
    Component::planner(info, |_config| Ok(Box::new(MyPlanner)))
}));

struct MyPlanner;

impl Planner for MyPlanner {
    fn extends(&self) -> String {
        "ExperimentPlanner3D_v21".to_owned()
    }

    /// Changes the parent's settings. Plans and data have names of their own, so that others stay as they are.
    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansMyPlanner".to_owned();
        settings.data_identifier = "nnUNetData_MyPlanner".to_owned();
        settings.base_num_features = 32;
        Ok(())
    }

    /// The spacing of the network's input in mm, (z, y, x); `None` leaves it to the settings.
    fn target_spacing(&self, _fingerprint: &Fingerprint) -> Result<Option<[f64; 3]>> {
        Ok(None)
    }

    /// Changes or rejects the finished plans.
    fn finish(&self, _plans: &mut Plans) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_and_data_have_names_of_their_own() {
        let mut settings = PlannerSettings::default();
        MyPlanner.configure(&mut settings).unwrap();
        assert_ne!(settings.plans_identifier, PlannerSettings::default().plans_identifier);
        assert_ne!(settings.data_identifier, PlannerSettings::default().data_identifier);
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
