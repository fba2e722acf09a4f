//! MyResampler: a resampler for nnunet, and a preprocessor and a planner of v1 that use it. Plans of v2 name it by
//! themselves: `v2.resampler_data = "MyResampler"` in the table of a planner.

use nnunet_plugin_api::ndarray::Array4;
use nnunet_plugin_api::vocabulary::ComponentChoice;
use nnunet_plugin_api::{
    Component, GridChange, Info, Kind, Planner, PlannerSettings, Preprocessor, PreprocessorSettings,
    Registration, Resampler, Result, export_plugin, inventory,
};

export_plugin!();

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Resampler, "MyResampler", "The nearest voxel.");
    Component::resampler(info, |_config| Ok(Box::new(MyResampler)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Preprocessor, "MyResamplerPreprocessor", "Resamples with MyResampler.");
    Component::preprocessor(info, |_config| Ok(Box::new(MyResamplerPreprocessor)))
}));

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Planner, "MyResamplerPlanner", "Plans with MyResampler.");
    Component::planner(info, |_config| Ok(Box::new(MyResamplerPlanner)))
}));

struct MyResampler;

impl Resampler for MyResampler {
    /// Resamples an image, (channels, z, y, x), to `change.shape`. Labels and scores follow from it, unless `labels` and
    /// `scores` are implemented too.
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        let (channels, z, y, x) = image.dim();
        let [to_z, to_y, to_x] = change.shape;
        let nearest = |index: usize, from: usize, to: usize| (2 * index + 1) * from / (2 * to);
        Ok(Array4::from_shape_fn((channels, to_z, to_y, to_x), |(c, i, j, k)| {
            image[[c, nearest(i, z, to_z), nearest(j, y, to_y), nearest(k, x, to_x)]]
        }))
    }
}

struct MyResamplerPreprocessor;

impl Preprocessor for MyResamplerPreprocessor {
    fn configure(&self, settings: &mut PreprocessorSettings) -> Result<()> {
        settings.resampler = Some(ComponentChoice::named("MyResampler"));
        Ok(())
    }
}

struct MyResamplerPlanner;

impl Planner for MyResamplerPlanner {
    fn configure(&self, settings: &mut PlannerSettings) -> Result<()> {
        settings.plans_identifier = "nnUNetPlansMyResampler".to_owned();
        settings.data_identifier = "nnUNetData_MyResampler".to_owned();
        settings.preprocessor = "MyResamplerPreprocessor".to_owned();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::{resample_image, resample_labels};

    use super::*;

    #[test]
    fn voxels_are_repeated() {
        let image = Array4::from_shape_vec((1, 1, 1, 2), vec![1.0, 4.0]).unwrap();
        let finer = resample_image(&MyResampler, image, [1.0; 3], [1.0, 1.0, 0.5]).unwrap();
        assert_eq!(finer.as_slice(), Some(&[1.0, 1.0, 4.0, 4.0][..]));
    }

    #[test]
    fn labels_stay_labels() {
        let labels = nnunet_plugin_api::ndarray::Array3::from_shape_fn((2, 3, 4), |(z, _, x)| (z + x) as f32);
        let coarser = resample_labels(&MyResampler, labels, [1.0; 3], [2.0; 3]).unwrap();
        assert!(coarser.iter().all(|label| label.fract() == 0.0));
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
