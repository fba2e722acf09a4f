//! PyTorch's linear interpolation: `resample_torch_fornnunet` and `resample_torch_simple` of v2.

use ndarray::{Array3, Array4, ArrayView4, Axis, Zip};
use nnunet_numerics::{Resampling, resample};
use nnunet_plugin_core::{
    Component, GridChange, Info, Interpolation, Kind, Registration, Resampler, Result, inventory,
    parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameters::{ANISOTROPY_THRESHOLD, check_threshold, is_there, separate};

inventory::submit!(Registration(|| {
    let summary =
        "v2: PyTorch's linear interpolation; an axis of much larger spacing is resampled on its own.";
    let info = Info::new(Kind::Resampler, "resample_torch_fornnunet", summary)
        .describe(LABELS)
        .with_config::<ForNnunet>()
        .with_example("[planners.Mine]\nextends = \"nnUNetPlanner\"\nv2.resampling = \"torch_separate_z\"");
    Component::resampler(info, |config| Ok(Box::new(Linear::new(&parse_config(config)?)?)))
}));

inventory::submit!(Registration(|| {
    let summary = "v2: PyTorch's linear interpolation of all axes together.";
    let info = Info::new(Kind::Resampler, "resample_torch_simple", summary)
        .describe(LABELS)
        .with_config::<Simple>()
        .with_example(
            "[planners.Mine]\nextends = \"nnUNetPlanner\"\nv2.resampler_data = \"resample_torch_simple\"",
        );
    Component::resampler(info, |config| {
        let Simple { mode, memefficient_seg_resampling, .. } = parse_config(config)?;
        let force_separate_z = Some(false);
        let parameters =
            ForNnunet { mode, memefficient_seg_resampling, force_separate_z, ..ForNnunet::default() };
        Ok(Box::new(Linear { in_volume: mode, ..Linear::new(&parameters)? }))
    })
}));

const LABELS: &str = "`torch.nn.functional.interpolate`, and the nearest slice along an axis of its own. Of labels, the \
                      one whose resampled mask is largest is taken; of equals, after rounding to half precision, the \
                      lowest.";

/// How values between voxels are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// Linear between voxels.
    Linear,
    /// The nearest voxel.
    NearestExact,
}

impl Mode {
    fn order(self) -> u32 {
        u32::from(self == Mode::Linear)
    }
}

/// Along an axis of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum AxisMode {
    /// The nearest slice.
    NearestExact,
}

/// Parameters of `resample_torch_fornnunet`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ForNnunet {
    /// Resample the axis of largest spacing on its own: always or never; none: depending on the anisotropy.
    force_separate_z: Option<bool>,
    /// Ratio of the largest to the smallest spacing above which an axis is resampled on its own.
    #[schemars(range(min = 1.0))]
    separate_z_anisotropy_threshold: f64,
    /// Interpolation in the plane, where an axis is resampled on its own; otherwise it is linear.
    mode: Mode,
    /// Interpolation along an axis of its own.
    aniso_axis_mode: AxisMode,
    /// Labels get what covers more than half of the voxel, and 0 where none does.
    memefficient_seg_resampling: bool,
    /// Written by v2's planners; images and scores are resampled as such, and labels as labels, whatever it is.
    is_seg: bool,
    /// Ignored: the program shares its threads among all cases.
    num_threads: usize,
}

impl Default for ForNnunet {
    fn default() -> Self {
        Self {
            force_separate_z: None,
            separate_z_anisotropy_threshold: ANISOTROPY_THRESHOLD,
            mode: Mode::Linear,
            aniso_axis_mode: AxisMode::NearestExact,
            memefficient_seg_resampling: false,
            is_seg: false,
            num_threads: 4,
        }
    }
}

/// Parameters of `resample_torch_simple`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Simple {
    /// Interpolation.
    mode: Mode,
    /// Labels get what covers more than half of the voxel, and 0 where none does.
    memefficient_seg_resampling: bool,
    /// Written by v2's planners; images and scores are resampled as such, and labels as labels, whatever it is.
    is_seg: bool,
    /// Ignored: the program shares its threads among all cases.
    num_threads: usize,
}

impl Default for Simple {
    fn default() -> Self {
        Self { mode: Mode::Linear, memefficient_seg_resampling: false, is_seg: false, num_threads: 4 }
    }
}

struct Linear {
    /// Of all axes together.
    in_volume: Mode,
    /// In the plane, beside an axis of its own.
    in_plane: Mode,
    force_separate_z: Option<bool>,
    threshold: f64,
    /// Labels need more than half of a voxel.
    by_half: bool,
}

impl Linear {
    fn new(parameters: &ForNnunet) -> Result<Self> {
        check_threshold(parameters.separate_z_anisotropy_threshold)?;
        Ok(Self {
            in_volume: Mode::Linear,
            in_plane: parameters.mode,
            force_separate_z: parameters.force_separate_z,
            threshold: parameters.separate_z_anisotropy_threshold,
            by_half: parameters.memefficient_seg_resampling,
        })
    }

    fn how(&self, change: &GridChange) -> Resampling {
        let separate = separate(change, self.force_separate_z, self.threshold);
        let mode = if separate.is_some() { self.in_plane } else { self.in_volume };
        Resampling { order: mode.order(), order_z: 0, separate }
    }
}

impl Resampler for Linear {
    fn image(&self, image: Array4<f32>, change: &GridChange) -> Result<Array4<f32>> {
        let (_, z, y, x) = image.dim();
        if is_there((z, y, x), change) {
            return Ok(image);
        }
        Ok(resample(image.view(), change.shape, self.how(change)))
    }

    fn labels(&self, labels: Array3<f32>, change: &GridChange) -> Result<Array3<f32>> {
        if is_there(labels.dim(), change) {
            return Ok(labels);
        }
        let how = self.how(change);
        Ok(if self.by_half {
            more_than_half(&labels, change.shape, how)
        } else {
            most_likely(&labels, change.shape, how)
        })
    }

    fn interpolation(&self, change: &GridChange) -> Option<Interpolation> {
        let Resampling { order, order_z, separate } = self.how(change);
        Some(Interpolation::of_order(order).separate(separate, order_z))
    }
}

/// Every label with its resampled mask.
fn masks<'a>(
    labels: &'a Array3<f32>,
    shape: [usize; 3],
    how: Resampling,
) -> impl Iterator<Item = (f32, Array3<f32>)> + 'a {
    nnunet_numerics::stats::unique(labels.iter().copied()).into_iter().map(move |label| {
        let mask = labels.mapv(|value| f32::from(value == label)).insert_axis(Axis(0));
        (label, resample(ArrayView4::from(&mask), shape, how).index_axis_move(Axis(0), 0))
    })
}

/// The label whose mask, resampled in half precision, is largest; the lowest of equals.
fn most_likely(labels: &Array3<f32>, shape: [usize; 3], how: Resampling) -> Array3<f32> {
    let mut likelihood = Array3::from_elem(shape, f32::NEG_INFINITY);
    let mut found = Array3::zeros(shape);
    for (label, mask) in masks(labels, shape, how) {
        Zip::from(&mut likelihood).and(&mut found).and(&mask).for_each(|best, found, value| {
            let value = half::f16::from_f32(*value * SCALE).to_f32();
            if value > *best {
                (*best, *found) = (value, label);
            }
        });
    }
    found
}

/// By which v2 makes the best of half precision.
const SCALE: f32 = 1000.0;

/// The label that covers more than half of the voxel, or 0.
fn more_than_half(labels: &Array3<f32>, shape: [usize; 3], how: Resampling) -> Array3<f32> {
    let mut found = Array3::zeros(shape);
    for (label, mask) in masks(labels, shape, how) {
        Zip::from(&mut found).and(&mask).for_each(|found, value| {
            if *value > 0.5 {
                *found = label;
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use nnunet_plugin_core::{resample_image, resample_labels};

    use super::*;

    fn linear(change: fn(&mut ForNnunet)) -> Linear {
        let mut parameters = ForNnunet::default();
        change(&mut parameters);
        Linear::new(&parameters).unwrap()
    }

    /// Values by `torch.nn.functional.interpolate`.
    #[test]
    fn linear_is_libtorchs() {
        let image = array![[[[0.0_f32, 1.0, 4.0]]]];
        let made = resample_image(&linear(|_| {}), image, [1.0; 3], [1.0, 1.0, 0.5]).unwrap();
        assert_eq!(made, array![[[[0.0, 0.25, 0.75, 1.75, 3.25, 4.0]]]]);
    }

    #[test]
    fn labels_that_meet_become_the_most_likely() {
        // Where three labels meet none has half of a voxel: splines would leave background.
        let labels = array![[[1.0_f32, 2.0], [3.0, 3.0]]];
        let to = [1.0, 1.0 / 3.0, 1.0 / 3.0];
        let made = resample_labels(&linear(|_| {}), labels.clone(), [1.0; 3], to).unwrap();
        assert_eq!(made.index_axis(Axis(0), 0).row(3), array![3.0, 3.0, 3.0, 3.0, 3.0, 3.0]);
        assert!(made.iter().all(|label| *label >= 1.0));
        let half = linear(|parameters| parameters.memefficient_seg_resampling = true);
        let made = resample_labels(&half, labels, [1.0; 3], to).unwrap();
        assert!(made.iter().any(|label| *label == 0.0), "{made}");
    }

    #[test]
    fn the_mode_is_that_of_the_plane() {
        let nearest = linear(|parameters| parameters.mode = Mode::NearestExact);
        let order = |from| {
            let change = GridChange { shape: [2; 3], from, to: [1.0; 3] };
            nearest.interpolation(&change).unwrap()
        };
        assert_eq!((order([1.0; 3]).order, order([1.0; 3]).separate), (1, None));
        assert_eq!((order([4.0, 1.0, 1.0]).order, order([4.0, 1.0, 1.0]).separate), (0, Some(0)));
    }
}
