//! Transforms with fixed parameters equal those of batchgenerators 0.25.5: every file of the reference `augment`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;

use ndarray::{Array3, Array4, ArrayViewMut3, Axis};
use nnunet_augmentation::{
    Pipeline, SpatialGaussian, Warp, blur, brightness, contrast, downsample_labels, gamma, gaussian_noise,
    local_gamma, mirror, sharpen, simulate_low_resolution, warp,
};
use nnunet_formats::npz;
use nnunet_plugin_core::{Augmentation, AugmentationContext, Config, RandomStream, Sample};
use nnunet_test_support::golden;
use serde_json::{Value, json};

/// Largest difference of an image value.
const IMAGE: f32 = 1e-3;
/// Share of label voxels that must be equal.
const LABELS: f64 = 0.999;

/// The reference files whose names begin with `prefix`, each with its parameters.
fn cases(prefix: &str) -> Vec<Case> {
    let folder = golden("augment");
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all["cases"].as_object().unwrap();
    let wanted = all.iter().filter(|(name, _)| name.starts_with(prefix));
    let found: Vec<Case> = wanted
        .map(|(name, parameters)| Case {
            file: folder.join(format!("{name}.npz")),
            name: name.clone(),
            parameters: parameters.clone(),
        })
        .collect();
    assert!(!found.is_empty(), "no reference begins with {prefix}");
    found
}

struct Case {
    name: String,
    file: PathBuf,
    parameters: Value,
}

impl Case {
    fn number(&self, key: &str) -> f64 {
        self.parameters[key].as_f64().unwrap()
    }

    fn is_true(&self, key: &str) -> bool {
        self.parameters[key].as_bool().unwrap()
    }

    /// An array as (channels, z, y, x); a slice gets z = 1, a batch loses its first axis.
    fn array(&self, key: &str) -> Array4<f32> {
        let member = npz::load(&self.file, key).unwrap();
        let mut shape = member.header.shape.clone();
        let batched = !self.parameters["layout"].is_null() || key.contains("seg_ds") || shape.len() == 5;
        if batched {
            assert_eq!(shape.remove(0), 1, "{}", self.name);
        }
        if shape.len() == 3 {
            shape.insert(1, 1);
        }
        let values = member.to_f32().unwrap();
        Array4::from_shape_vec((shape[0], shape[1], shape[2], shape[3]), values).unwrap()
    }

    fn check(&self, ours: &Array4<f32>) {
        let expected = self.array("expected_data");
        assert_eq!(ours.shape(), expected.shape(), "{}", self.name);
        let error = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error <= IMAGE, "{} differs by {error}", self.name);
    }

    fn check_labels(&self, ours: &Array4<f32>) {
        let expected = self.array("expected_seg");
        assert_eq!(ours.shape(), expected.shape(), "{}", self.name);
        let same = ours.iter().zip(&expected).filter(|(a, b)| a == b).count() as f64 / ours.len() as f64;
        assert!(same >= LABELS, "{}: {same} of the labels agree", self.name);
    }

    fn each_channel(&self, change: impl FnMut(ArrayViewMut3<'_, f32>)) {
        let mut data = self.array("data");
        data.axis_iter_mut(Axis(0)).for_each(change);
        self.check(&data);
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map(|all| all.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
}

#[test]
fn rotation_and_scaling() {
    for case in cases("spatial") {
        let mut patch: Vec<usize> =
            numbers(&case.parameters["patch_size"]).into_iter().map(|len| len as usize).collect();
        patch.resize(patch.len().max(3), 1);
        if numbers(&case.parameters["patch_size"]).len() == 2 {
            patch.rotate_right(1);
        }
        let mut angles = numbers(&case.parameters["angles_xyz"]);
        angles.resize(3, 0.0);
        let scale = case.parameters["scale"].as_f64().unwrap_or(1.0);
        let planar = case.is_true("dummy_2D") || patch[0] == 1;
        let change = Warp {
            angles: [angles[0], angles[1], angles[2]],
            scale: [if planar { 1.0 } else { scale }, scale, scale],
            displacement: None,
        };
        let sample = Sample { data: case.array("data"), seg: case.array("seg") };
        if change == Warp::default() {
            // Nothing drawn: batchgenerators cuts, which is finer than its resampling where sizes differ by one.
            let context = AugmentationContext {
                patch: patch.clone(),
                dummy_2d: planar,
                mirror_axes: Some(Vec::new()),
                ..Default::default()
            };
            let never = json!({"p_rot": 0.0, "p_scale": 0.0, "p_gamma": 0.0}).as_object().cloned().unwrap();
            let pipeline = Pipeline::named("defaultDA", &with(never, "p_eldef", 0.0)).unwrap();
            let made = pipeline.augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap();
            case.check(&made.data);
            case.check_labels(&made.seg);
            continue;
        }
        let made = warp(&sample, [patch[0], patch[1], patch[2]], &change);
        case.check(&made.data);
        case.check_labels(&made.seg);
    }
}

fn with(mut table: Config, key: &str, value: f64) -> Config {
    table.insert(key.to_owned(), value.into());
    table
}

#[test]
fn intensities() {
    for case in cases("blur") {
        case.each_channel(|channel| blur(channel, case.number("sigma")));
    }
    for case in cases("brightness") {
        case.each_channel(|channel| brightness(channel, case.number("multiplier")));
    }
    for case in cases("contrast") {
        case.each_channel(|channel| contrast(channel, case.number("factor"), case.is_true("preserve_range")));
    }
    for case in cases("lowres") {
        let keep_first = !case.parameters["ignore_axes"].is_null();
        case.each_channel(|channel| simulate_low_resolution(channel, case.number("zoom"), keep_first));
    }
    for case in cases("gamma") {
        let (inverted, retain) = (case.is_true("invert_image"), case.is_true("retain_stats"));
        case.each_channel(|channel| gamma(channel, case.number("gamma"), inverted, retain));
    }
}

/// Only the statistics of noise can be compared.
#[test]
fn noise() {
    for case in cases("gauss_noise") {
        let before = case.array("data");
        let mut after = before.clone();
        let mut random = RandomStream::from_seed(1);
        after.outer_iter_mut().for_each(|c| gaussian_noise(c, case.number("noise_variance"), &mut random));
        let noise = after - before;
        assert!((f64::from(noise.std(0.0)) / case.number("noise_std") - 1.0).abs() < 0.05);
        assert!(noise.mean().unwrap().abs() < 2e-3);
    }
}

#[test]
fn mirroring() {
    for case in cases("mirror") {
        let axes: Vec<usize> =
            numbers(&case.parameters["flipped_axes"]).into_iter().map(|axis| axis as usize).collect();
        let (mut data, mut seg) = (case.array("data"), case.array("seg"));
        mirror(&mut data, &axes);
        mirror(&mut seg, &axes);
        case.check(&data);
        assert_eq!(seg, case.array("expected_seg"), "{}", case.name);
    }
}

/// Where the labels are negative, channels that were normalized inside the mask are cleared.
#[test]
fn the_outside_of_the_mask() {
    for case in cases("mask_transform") {
        let sample = Sample { data: case.array("data"), seg: case.array("seg") };
        let context = AugmentationContext { use_mask: vec![true, false], ..Default::default() };
        let none = Pipeline::named("noDA", &Config::new()).unwrap();
        case.check(&none.augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap().data);
    }
}

#[test]
fn targets_of_lower_resolutions() {
    for case in cases("ds") {
        let scales: Vec<[f64; 3]> = case.parameters["ds_scales"]
            .as_array()
            .unwrap()
            .iter()
            .map(|scale| match numbers(scale)[..] {
                [z, y, x] => [z, y, x],
                [y, x] => [1.0, y, x],
                _ => panic!("{}", case.name),
            })
            .collect();
        let batch = npz::load(&case.file, "seg").unwrap();
        let samples = batch.header.shape[0];
        let volume = |key: &str| {
            let member = npz::load(&case.file, key).unwrap();
            let mut shape = member.header.shape.clone();
            if shape.len() == 4 {
                shape.insert(2, 1);
            }
            let values = member.to_f32().unwrap();
            Array4::from_shape_vec((samples, shape[2], shape[3], shape[4]), values).unwrap()
        };
        for (level, ours) in downsample_labels(&volume("seg"), &scales).iter().enumerate() {
            assert_eq!(*ours, volume(&format!("expected_seg_ds{level}")), "{} level {level}", case.name);
        }
    }
}

/// Values of batchgenerators 0.25.5: `LocalGammaTransform(3.0, 0.25, 2.0)` and `SharpeningTransform(0.3)`.
#[test]
fn local_transforms() {
    let close = |ours: f32, theirs: f32| {
        assert!((ours - theirs).abs() <= 2e-4 * theirs.abs().max(1.0), "{ours} instead of {theirs}");
    };
    let shape = [4, 5, 6];
    let gaussian = SpatialGaussian::new(shape, |len| (0.25 * len as f64, 3.0));
    let mut image = Array3::from_shape_fn((4, 5, 6), |(z, y, x)| ((z * 30 + y * 6 + x) as f32).powf(1.3));
    local_gamma(image.view_mut(), &gaussian, 2.0);
    close(image[[0, 1, 2]], 1.515_258_5);
    close(image[[2, 2, 2]], 158.683_95);
    close(image[[3, 4, 4]], 492.884_4);
    let mut image = Array3::from_shape_fn((4, 5, 6), |(z, y, x)| ((z * 30 + y * 6 + x) * 7 % 13) as f32);
    sharpen(image.view_mut(), 0.3);
    for (x, value) in [8.9, 12.0, 11.1, 0.0, 12.0, 0.0].into_iter().enumerate() {
        close(image[[3, 4, x]], value);
    }
}
