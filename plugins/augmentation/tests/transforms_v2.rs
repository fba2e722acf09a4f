//! Transforms with fixed parameters equal those of batchgeneratorsv2 0.3.6: every case of the golden data `augment_v2`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::PathBuf;

use ndarray::{Array4, ArrayViewMut3, Axis, concatenate};
use nnunet_augmentation::v2::{
    Interpolation, LinearWarp, Operation, blur_axes, change_previous_stage, simulate_low_resolution_linear,
    warp_linear,
};
use nnunet_augmentation::{
    Pipeline, Placement, SpatialGaussian, add_gradient, append_previous_stage, blank, brightness, contrast,
    downsample_labels, gamma, local_gamma, mirror, place, quarter_turns, sharpen_extended, transpose,
};
use nnunet_formats::npz;
use nnunet_numerics::median_filter;
use nnunet_plugin_core::{Augmentation, AugmentationContext, RandomStream, Sample};
use nnunet_test_support::golden;
use serde_json::{Value, json};

/// Largest difference of an image value.
const IMAGE: f32 = 1e-3;
/// Share of label voxels that must be equal.
const LABELS: f64 = 0.999;

fn recorded() -> Value {
    let text = std::fs::read_to_string(golden("augment_v2").join("cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

struct Case {
    name: String,
    parameters: Value,
    file: PathBuf,
}

/// The cases whose names begin with `prefix`.
fn cases(prefix: &str) -> Vec<Case> {
    let file = golden("augment_v2").join("expected.npz");
    let recorded = recorded();
    let wanted = recorded["cases"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with(prefix));
    let found: Vec<Case> = wanted
        .map(|(name, parameters)| Case {
            name: name.clone(),
            parameters: parameters.clone(),
            file: file.clone(),
        })
        .collect();
    assert!(!found.is_empty(), "no case begins with {prefix}");
    found
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().map(|all| all.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
}

fn sizes(value: &Value) -> Vec<usize> {
    numbers(value).into_iter().map(|number| number as usize).collect()
}

/// Slices get a first axis of `fill`.
fn in_3d<T: Copy>(values: &[T], fill: T) -> [T; 3] {
    let mut all = [fill; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}

impl Case {
    fn number(&self, key: &str) -> f64 {
        self.parameters[key].as_f64().unwrap()
    }

    fn is_true(&self, key: &str) -> bool {
        self.parameters[key].as_bool().unwrap()
    }

    fn size(&self, key: &str) -> [usize; 3] {
        in_3d(&sizes(&self.parameters[key]), 1)
    }

    /// The input of the script that made the golden data.
    fn input(&self) -> Sample {
        let shape = self.size("shape");
        Sample { data: image(shape), seg: labels(shape) }
    }

    fn expected(&self, key: &str) -> Array4<f32> {
        let member = npz::load(&self.file, &format!("{}_{key}", self.name)).unwrap();
        let shape = &member.header.shape;
        let [z, y, x] = in_3d(&shape[1..], 1);
        Array4::from_shape_vec((shape[0], z, y, x), member.to_f32().unwrap()).unwrap()
    }

    fn check(&self, ours: &Array4<f32>) {
        let expected = self.expected("data");
        assert_eq!(ours.shape(), expected.shape(), "{}", self.name);
        let error = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error <= IMAGE, "{} differs by {error}", self.name);
    }

    fn check_labels(&self, ours: &Array4<f32>) {
        let expected = self.expected("seg");
        assert_eq!(ours.shape(), expected.shape(), "{}", self.name);
        let same = ours.iter().zip(&expected).filter(|(a, b)| a == b).count() as f64 / ours.len() as f64;
        assert!(same >= LABELS, "{}: {same} of the labels agree", self.name);
    }

    fn each_channel(&self, change: impl FnMut(ArrayViewMut3<'_, f32>)) {
        let mut data = self.input().data;
        data.axis_iter_mut(Axis(0)).for_each(change);
        self.check(&data);
    }
}

fn image([nz, ny, nx]: [usize; 3]) -> Array4<f32> {
    Array4::from_shape_fn((2, nz, ny, nx), |(c, z, y, x)| {
        ((c * 5 + z * 31 + y * 17 + x * 7 + z * y * x % 11) % 23) as f32 / 5.0 - 2.0
    })
}

fn labels([nz, ny, nx]: [usize; 3]) -> Array4<f32> {
    Array4::from_shape_fn((1, nz, ny, nx), |(_, z, y, x)| {
        let away = |at_y: i64, at_x: i64| {
            let (z, y, x) = (2 * z as i64 - nz as i64, y as i64 - at_y, x as i64 - at_x);
            z * z + 4 * y * y + 4 * x * x
        };
        if x < 2 {
            -1.0
        } else if away(8, 9) <= 40 {
            2.0
        } else if away(5, 4) <= 60 {
            1.0
        } else if (y + 2 * x) % 9 < 3 {
            3.0
        } else {
            0.0
        }
    })
}

/// A component with parameters, with which exactly one sample is made.
fn pipeline(name: &str, table: Value) -> Pipeline {
    Pipeline::named(name, table.as_object().unwrap()).unwrap()
}

#[test]
fn rotation_and_scaling() {
    let mode = |value: &Value| {
        if value == "nearest" { Interpolation::Nearest } else { Interpolation::Linear }
    };
    for case in cases("spatial") {
        let (sample, patch) = (case.input(), case.size("patch"));
        let planar = case.is_true("dummy") || case.parameters["patch"].as_array().unwrap().len() == 2;
        let (angles, scales) = (numbers(&case.parameters["angles"]), numbers(&case.parameters["scales"]));
        if angles.is_empty() && scales.is_empty() {
            // Nothing drawn: the sample is only cut.
            let context = AugmentationContext {
                patch: patch.to_vec(),
                mirror_axes: Some(Vec::new()),
                ..Default::default()
            };
            let cut = pipeline(
                "v2NoDA",
                json!({"transforms": [{"transform": "linear_spatial", "p_rot": 0.0, "p_scale": 0.0}]}),
            );
            let made = cut.augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap();
            case.check(&made.data);
            case.check_labels(&made.seg);
            continue;
        }
        // In their plane, v2 rotates slices by the last of the angles.
        let warp = LinearWarp {
            angles: match angles[..] {
                [_, angle] => [angle, 0.0, 0.0],
                [z, y, x] => [z, y, x],
                _ => [0.0; 3],
            },
            scale: in_3d(&scales, 1.0),
        };
        assert!(!planar || angles.len() < 3);
        let [images, labels] = ["mode_image", "mode_seg"].map(|key| mode(&case.parameters[key]));
        let made = warp_linear(&sample, patch, &warp, images, labels);
        case.check(&made.data);
        case.check_labels(&made.seg);
    }
}

#[test]
fn intensities() {
    for case in cases("blur") {
        let sigma = in_3d(&numbers(&case.parameters["sigma"]), 0.0);
        case.each_channel(|channel| blur_axes(channel, sigma));
    }
    for case in cases("brightness") {
        case.each_channel(|channel| brightness(channel, case.number("factor")));
    }
    for case in cases("contrast") {
        case.each_channel(|channel| contrast(channel, case.number("factor"), case.is_true("keep")));
    }
    for case in cases("gamma") {
        let (invert, retain) = (case.is_true("invert"), case.is_true("retain"));
        case.each_channel(|channel| gamma(channel, case.number("gamma"), invert, retain));
    }
    for case in cases("lowres") {
        let keep_first = case.is_true("keep_first");
        case.each_channel(|channel| {
            simulate_low_resolution_linear(channel, case.number("zoom"), keep_first);
        });
    }
    for case in cases("sharpen") {
        case.each_channel(|channel| sharpen_extended(channel, case.number("strength")));
    }
    for case in cases("median") {
        let size = case.number("size") as usize;
        case.each_channel(|mut channel| {
            let filtered = median_filter(channel.view(), [size; 3]);
            channel.assign(&filtered);
        });
    }
}

#[test]
fn local_intensities() {
    for case in cases("rectangles") {
        let boxes: Vec<[Vec<usize>; 2]> = serde_json::from_value(case.parameters["boxes"].clone()).unwrap();
        case.each_channel(|mut channel| {
            for [low, high] in &boxes {
                blank(&mut channel, std::array::from_fn(|axis| low[axis]..high[axis]));
            }
        });
    }
    let gaussian = |case: &Case| {
        let places: Vec<[f64; 2]> = serde_json::from_value(case.parameters["places"].clone()).unwrap();
        let mut places = places.into_iter();
        SpatialGaussian::normalized(case.size("shape"), |len| {
            let [location, scale] = places.next().unwrap();
            (location * len as f64, scale)
        })
    };
    for case in cases("gradient") {
        case.each_channel(|channel| add_gradient(channel, &gaussian(&case), case.number("strength")));
    }
    for case in cases("local_gamma") {
        case.each_channel(|channel| local_gamma(channel, &gaussian(&case), case.number("gamma")));
    }
}

#[test]
fn moved_voxels() {
    let check = |case: &Case, sample: &Sample| {
        case.check(&sample.data);
        assert_eq!(sample.seg, case.expected("seg"), "{}", case.name);
    };
    for case in cases("mirror") {
        let mut sample = case.input();
        let axes = sizes(&case.parameters["axes"]);
        mirror(&mut sample.data, &axes);
        mirror(&mut sample.seg, &axes);
        check(&case, &sample);
    }
    for case in cases("rot90") {
        let mut sample = case.input();
        let axes = sizes(&case.parameters["axes"]);
        for array in [&mut sample.data, &mut sample.seg] {
            quarter_turns(array, (axes[0], axes[1]), case.number("turns") as usize);
        }
        check(&case, &sample);
    }
    for case in cases("transpose") {
        let mut sample = case.input();
        let order = sizes(&case.parameters["order"]).try_into().unwrap();
        transpose(&mut sample.data, order);
        transpose(&mut sample.seg, order);
        check(&case, &sample);
    }
}

#[test]
fn the_outside_of_the_mask() {
    for case in cases("mask") {
        let context = AugmentationContext {
            patch: case.size("shape").to_vec(),
            use_mask: vec![true, false],
            mirror_axes: Some(Vec::new()),
            ..Default::default()
        };
        let nothing = pipeline("v2DA", json!({"transforms": []}));
        case.check(&nothing.augment(case.input(), &context, &mut RandomStream::from_seed(1)).unwrap().data);
        let kept = pipeline("v2NoDA", json!({}));
        let made = kept.augment(case.input(), &context, &mut RandomStream::from_seed(1)).unwrap();
        assert_eq!(made, case.input(), "v2NoDA changes nothing");
    }
}

/// The previous stage is the label map itself, mirrored along its first axis.
fn cascade(case: &Case) -> Sample {
    let mut sample = case.input();
    let mut previous = sample.seg.clone();
    let first = if case.size("shape")[0] == 1 { 1 } else { 0 };
    mirror(&mut previous, &[first]);
    sample.seg = concatenate(Axis(0), &[sample.seg.view(), previous.view()]).unwrap();
    append_previous_stage(&mut sample, 3);
    sample
}

#[test]
fn the_previous_stage() {
    for case in cases("onehot") {
        let sample = cascade(&case);
        case.check(&sample.data);
        assert_eq!(sample.seg, case.expected("seg"), "{}", case.name);
    }
    for case in cases("binary") {
        let mut sample = cascade(&case);
        let operation = match case.parameters["operation"].as_str().unwrap() {
            "dilation" => Operation::Dilate,
            "erosion" => Operation::Erode,
            "closing" => Operation::Close,
            _ => Operation::Open,
        };
        let planar = case.size("shape")[0] == 1;
        change_previous_stage(&mut sample, 3, 0, operation, case.number("radius"), planar);
        let ours = sample.data.slice(ndarray::s![2.., .., .., ..]).to_owned();
        assert_eq!(ours, case.expected("data"), "{}", case.name);
    }
}

#[test]
fn targets_of_lower_resolutions() {
    for case in cases("downsample") {
        let scale = in_3d(&numbers(&case.parameters["scale"]), 1.0);
        assert_eq!(downsample_labels(&case.input().seg, &[scale])[0], case.expected("seg"), "{}", case.name);
    }
}

/// Size of the box that is cut from a case, for v2's default, DA5 and no dummy 2D.
#[test]
fn initial_patches() {
    let recorded = recorded();
    let of = |trainer: &str| recorded["initial_patch"][trainer].as_array().unwrap().clone();
    for (trainer, name, table) in [
        ("nnUNetTrainer", "v2DA", json!({})),
        ("nnUNetTrainerDA5", "v2DA5", json!({})),
        ("nnUNetTrainer_noDummy2DDA", "v2DA", json!({"dummy_2d": false})),
    ] {
        let pipeline = pipeline(name, table);
        for expected in of(trainer) {
            let patch = sizes(&expected["patch"]);
            let longest = *patch.iter().max().unwrap() as f64;
            let context = AugmentationContext {
                dummy_2d: patch.len() == 3 && longest / patch[0] as f64 > 3.0,
                patch: patch.clone(),
                ..Default::default()
            };
            let ours = pipeline.generator_patch(&context).unwrap();
            assert_eq!(ours, sizes(&expected["initial"]), "{trainer} {patch:?}");
        }
    }
}

/// The part that is read suffices: the whole enlarged patch gives the same sample.
#[test]
fn the_crop_gives_what_the_whole_patch_gives() {
    for (patch, dummy_2d) in [(vec![9, 11, 8], false), (vec![4, 16, 15], true), (vec![13, 12], false)] {
        let context = AugmentationContext {
            patch,
            dummy_2d,
            mirror_axes: Some(Vec::new()),
            ..AugmentationContext::default()
        };
        let pipeline = pipeline("v2DA", json!({"p_rot": 0.5, "p_scale": 0.5, "p_noise": 0.0}));
        let whole = in_3d(&pipeline.generator_patch(&context).unwrap(), 1);
        let mut smaller = 0;
        for seed in 0..20 {
            let random = RandomStream::from_seed(seed);
            let crop = in_3d(&pipeline.crop(&context, &random).unwrap(), 1);
            smaller += usize::from(crop != whole);
            let [z, y, x] = std::array::from_fn(|axis| {
                let from = (whole[axis] - crop[axis]) / 2;
                from..from + crop[axis]
            });
            let cut =
                |array: Array4<f32>| array.slice(ndarray::s![.., z.clone(), y.clone(), x.clone()]).to_owned();
            let small = Sample { data: cut(image(whole)), seg: cut(labels(whole)) };
            let large = Sample { data: image(whole), seg: labels(whole) };
            let [small, large] =
                [small, large].map(|sample| pipeline.augment(sample, &context, &mut random.clone()).unwrap());
            assert_eq!(small.seg, large.seg);
            let error = (&small.data - &large.data).iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            assert!(error < 1e-4, "seed {seed}: {error}");
        }
        assert!(smaller > 2);
    }
}

/// One component of a label is smaller than 15 % of the patch, or none is.
#[test]
fn removed_components() {
    for case in cases("remove_component") {
        let expected = case.expected("data");
        let context = AugmentationContext {
            patch: sizes(&case.parameters["shape"]),
            num_labels: 3,
            mirror_axes: Some(Vec::new()),
            ..Default::default()
        };
        let stage = json!({"transforms": [{
            "transform": "previous_stage",
            "cascade_random_binary_transform_p": 0.0,
            "cascade_remove_conn_comp_p": 1.0,
            "cascade_remove_conn_comp_p_per_label": 1.0,
        }]});
        let mut sample = case.input();
        let mut previous = sample.seg.clone();
        mirror(&mut previous, &[usize::from(case.size("shape")[0] == 1)]);
        sample.seg = concatenate(Axis(0), &[sample.seg.view(), previous.view()]).unwrap();
        let made =
            pipeline("v2DA", stage).augment(sample, &context, &mut RandomStream::from_seed(1)).unwrap();
        // Channel 1 of the labels is the one that the script changed.
        assert_eq!(made.data.index_axis(Axis(0), 3), expected.index_axis(Axis(0), 1), "{}", case.name);
    }
}

/// Boxes as `nnUNetDataLoader.get_bbox` places them: anywhere in a range, or around a voxel.
#[test]
fn positions_of_boxes() {
    for expected in recorded()["boxes"].as_array().unwrap() {
        let [shape, wide, patch] = ["shape", "wide", "patch"].map(|key| in_3d(&sizes(&expected[key]), 1));
        let placement = match sizes(&expected["position"])[..] {
            [z, y, x] => Placement::Around([z, y, x]),
            _ => Placement::Random,
        };
        let ends: [[isize; 3]; 2] = serde_json::from_value(expected["corners"].clone()).unwrap();
        let mut random = RandomStream::from_seed(1);
        let corners: Vec<[isize; 3]> =
            (0..1000).map(|_| place(shape, wide, patch, placement, &mut random)).collect();
        for axis in 0..3 {
            let along = || corners.iter().map(|corner| corner[axis]);
            let found = [along().min().unwrap(), along().max().unwrap()];
            assert_eq!(found, [ends[0][axis], ends[1][axis]], "axis {axis} of {expected}");
        }
    }
}
