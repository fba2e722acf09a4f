//! MyNormalization: a normalization for nnunet, and the planner that names it in its plans.

use nnunet_plugin_api::ndarray::ArrayViewMut3;
use nnunet_plugin_api::{
    Component, Info, Kind, Normalization, NormalizationContext, Planner, PlannerSettings, Registration,
    Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Normalization, "MyNormalization", "Intensities from 0 to 1.");
    Component::normalization(info, |_config| Ok(Box::new(MyNormalization)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "MyNormalizationPlanner", "Plans with MyNormalization.");
    Component::planner(info, |_config| Ok(Box::new(MyNormalizationPlanner)))
}));

struct MyNormalization;

impl Normalization for MyNormalization {
    /// Changes the channel, (z, y, x), in place, after resampling.
    fn normalize(&self, mut channel: ArrayViewMut3<'_, f32>, _: &NormalizationContext<'_>) -> Result<()> {
        let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
        let high = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let range = (high - low).max(f32::MIN_POSITIVE);
        channel.mapv_inplace(|value| (value - low) / range);
        Ok(())
    }
}

struct MyNormalizationPlanner;

impl Planner for MyNormalizationPlanner {
    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansMyNormalization".to_owned();
        settings.data_identifier = "nnUNetData_MyNormalization".to_owned();
        settings.normalization = Some("MyNormalization".to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::ndarray::Array3;

    use super::*;

    #[test]
    fn intensities_lie_between_0_and_1() {
        let mut channel = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (z * 12 + y * 4 + x) as f32);
        let seg = Array3::zeros((2, 3, 4));
        MyNormalization.normalize(channel.view_mut(), &NormalizationContext::new(0, seg.view())).unwrap();
        assert_eq!((channel[[0, 0, 0]], channel[[1, 2, 3]]), (0.0, 1.0));
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
