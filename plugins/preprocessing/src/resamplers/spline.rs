//! Splines: `resample_patient` of v1, `resample_data_or_seg_to_shape` of v2.

use ndarray::{Array3, Array4};
use nnunet_numerics::{Resampling, resample, resample_labels};
use nnunet_plugin_core::{
    Component, Config, GridChange, Info, Interpolation, Kind, Registration, Resampler, Result, inventory,
    parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameters::{ANISOTROPY_THRESHOLD, check_order, check_threshold, is_there, separate};

inventory::submit!(Registration(|| v2(
    "resample_data_or_seg_to_shape",
    "v2: splines; an axis of much larger spacing is resampled on its own."
)));
inventory::submit!(Registration(|| v2(
    "resample_data_or_seg_to_spacing",
    "v2: the same as `resample_data_or_seg_to_shape`."
)));
inventory::submit!(Registration(|| {
    let info = Info::new(
        Kind::Resampler,
        "resample_patient",
        "v1: splines; an axis of much larger spacing is resampled on its own.",
    )
    .describe(
        "What `GenericPreprocessor` does by its own settings. Scores are resampled linearly, as v1 exports them.",
    )
    .with_config::<Patient>()
    .with_example("[preprocessors.Mine]\nextends = \"GenericPreprocessor\"\nresampler = { name = \"resample_patient\", order_data = 1 }");
    Component::resampler(info, |config| Ok(Box::new(Splines::of_v1(&parse_config(config)?)?)))
}));

fn v2(name: &'static str, summary: &'static str) -> Component {
    let info = Info::new(Kind::Resampler, name, summary)
        .describe("Splines as `skimage.transform.resize` has them, and `map_coordinates` of SciPy along an axis of its own. Of labels, the one whose resampled mask is largest is taken. Scores are rounded to half precision.")
        .with_config::<ToShape>()
        .with_example(format!("[planners.Mine]\nextends = \"nnUNetPlanner\"\nv2.resampler_data = {{ name = \"{name}\", order = 1, force_separate_z = false }}"));
    Component::resampler(info, |config: &Config| Ok(Box::new(Splines::of_v2(&parse_config(config)?)?)))
}

/// Parameters of v2's function.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ToShape {
    /// Spline order.
    #[schemars(range(max = 5))]
    order: u32,
    /// Spline order along the axis that is resampled on its own.
    #[schemars(range(max = 5))]
    order_z: u32,
    /// Resample the axis of largest spacing on its own: always or never; none: depending on the anisotropy.
    force_separate_z: Option<bool>,
    /// Ratio of the largest to the smallest spacing above which an axis is resampled on its own.
    #[schemars(range(min = 1.0))]
    separate_z_anisotropy_threshold: f64,
    /// Written by v2's planners; images and scores are resampled as such, and labels as labels, whatever it is.
    is_seg: bool,
}

impl Default for ToShape {
    fn default() -> Self {
        Self {
            order: 3,
            order_z: 0,
            force_separate_z: Some(false),
            separate_z_anisotropy_threshold: ANISOTROPY_THRESHOLD,
            is_seg: false,
        }
    }
}

/// Parameters of v1's function.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Patient {
    /// Spline order of images.
    #[schemars(range(max = 5))]
    order_data: u32,
    /// Spline order of labels.
    #[schemars(range(max = 5))]
    order_seg: u32,
    /// Spline order of images along the axis that is resampled on its own.
    #[schemars(range(max = 5))]
    order_z_data: u32,
    /// Spline order of labels along the axis that is resampled on its own.
    #[schemars(range(max = 5))]
    order_z_seg: u32,
    /// Resample the axis of largest spacing on its own: always or never; none: depending on the anisotropy.
    force_separate_z: Option<bool>,
    /// Ratio of the largest to the smallest spacing above which an axis is resampled on its own.
    #[schemars(range(min = 1.0))]
    separate_z_anisotropy_threshold: f64,
}

impl Default for Patient {
    fn default() -> Self {
        Self {
            order_data: 3,
            order_seg: 1,
            order_z_data: 0,
            order_z_seg: 0,
            force_separate_z: None,
            separate_z_anisotropy_threshold: ANISOTROPY_THRESHOLD,
        }
    }
}

/// Spline orders, along an axis of its own last.
type Orders = [u32; 2];

struct Splines {
    image: Orders,
    labels: Orders,
    scores: Orders,
    /// Scores are rounded to half precision.
    half_precision: bool,
    force_separate_z: Option<bool>,
    threshold: f64,
}

impl Splines {
    fn of_v2(parameters: &ToShape) -> Result<Self> {
        check_order("order", parameters.order)?;
        check_order("order_z", parameters.order_z)?;
        check_threshold(parameters.separate_z_anisotropy_threshold)?;
        let orders = [parameters.order, parameters.order_z];
        Ok(Self {
            image: orders,
            labels: orders,
            scores: orders,
            half_precision: true,
            force_separate_z: parameters.force_separate_z,
            threshold: parameters.separate_z_anisotropy_threshold,
        })
    }

    fn of_v1(parameters: &Patient) -> Result<Self> {
        for (name, order) in [
            ("order_data", parameters.order_data),
            ("order_seg", parameters.order_seg),
            ("order_z_data", parameters.order_z_data),
            ("order_z_seg", parameters.order_z_seg),
        ] {
            check_order(name, order)?;
        }
        check_threshold(parameters.separate_z_anisotropy_threshold)?;
        Ok(Self {
            image: [parameters.order_data, parameters.order_z_data],
            labels: [parameters.order_seg, parameters.order_z_seg],
            scores: [1, 0],
            half_precision: false,
            force_separate_z: parameters.force_separate_z,
            threshold: parameters.separate_z_anisotropy_threshold,
        })
    }

    fn how(&self, [order, order_z]: Orders, change: &GridChange) -> Resampling {
        let separate = separate(change, self.force_separate_z, self.threshold);
        Resampling { order, order_z, separate }
    }
}

impl Resampler for Splines {
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        let (_, z, y, x) = image.dim();
        if is_there((z, y, x), change) {
            return Ok(image);
        }
        Ok(resample(image.view(), change.shape, self.how(self.image, change)))
    }

    fn labels(&self, labels: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        if is_there(labels.dim(), change) {
            return Ok(labels);
        }
        Ok(resample_labels(labels.view(), change.shape, self.how(self.labels, change)))
    }

    fn scores(&self, class: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        if is_there(class.dim(), change) {
            return Ok(class);
        }
        let image = class.insert_axis(ndarray::Axis(0));
        let resampled = resample(image.view(), change.shape, self.how(self.scores, change));
        let rounded =
            |value: f32| if self.half_precision { half::f16::from_f32(value).to_f32() } else { value };
        Ok(resampled.index_axis_move(ndarray::Axis(0), 0).mapv_into(rounded))
    }

    fn interpolation(&self, change: &GridChange) -> Option<Interpolation> {
        let Resampling { order, order_z, separate } = self.how(self.scores, change);
        Some(Interpolation::of_order(order).separate(separate, order_z).rounded(self.half_precision))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use nnunet_plugin_core::serde_json::json;

    use super::*;

    fn splines(parameters: nnunet_plugin_core::serde_json::Value) -> Result<Splines> {
        Splines::of_v2(&parse_config(parameters.as_object().unwrap())?)
    }

    const FINER: GridChange = GridChange { shape: [1, 1, 6], from: [4.0, 1.0, 1.0], to: [1.0, 1.0, 0.5] };

    /// What v2's planners write, and what Python takes where plans leave it out.
    #[test]
    fn an_axis_of_its_own_is_for_plans_that_ask() {
        let axis = |parameters| splines(parameters).unwrap().interpolation(&FINER).unwrap().separate;
        assert_eq!(axis(json!({"force_separate_z": null, "is_seg": false})), Some(0));
        assert_eq!(axis(json!({})), None, "the default of Python's function is False");
        assert_eq!(axis(json!({"force_separate_z": null, "separate_z_anisotropy_threshold": 5})), None);
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (parameters, part) in [
            (json!({"order": 6}), "`order`: resampling of order 6"),
            (json!({"order_z": 9}), "`order_z`: resampling of order 9"),
            (json!({"separate_z_anisotropy_threshold": 0}), "is not from 1 on"),
            (json!({"ordr": 1}), "unknown field `ordr`"),
        ] {
            let error = splines(parameters).err().unwrap().to_string();
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }

    #[test]
    fn scores_are_rounded_as_their_interpolation_says() {
        let linear = splines(json!({"order": 1})).unwrap();
        let class = array![[[0.0_f32, 0.1, 0.3]]];
        let scores = linear.scores(class.clone(), &FINER).unwrap();
        let image = linear.image(class.insert_axis(ndarray::Axis(0)), &FINER).unwrap();
        assert!(linear.interpolation(&FINER).unwrap().half_precision);
        assert_eq!(
            scores,
            image.index_axis_move(ndarray::Axis(0), 0).mapv(|v| half::f16::from_f32(v).to_f32())
        );
    }
}
