//! Transforms with fixed parameters equal those of batchgenerators 0.25.5.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use std::path::{Path, PathBuf};

use ndarray::{Array4, Axis};
use nnunet_augmentation::{
    blur, contrast, downsample_labels, gamma, mirror, simulate_low_resolution, spatial,
};
use nnunet_formats::npz;
use nnunet_test_support::reference;

/// Largest difference of an image value.
const IMAGE: f32 = 1e-3;
/// Share of label voxels that must be equal.
const LABELS: f64 = 0.999;

/// An array with its trailing axes as (channels, z, y, x); a slice gets z = 1.
fn array(file: &Path, key: &str) -> Array4<f32> {
    let member = npz::load(file, key).unwrap();
    let shape = member.header.shape.clone();
    let values = member.to_f32().unwrap();
    let shape = match shape[..] {
        [1, c, z, y, x] | [c, z, y, x] if shape.len() != 4 || !is_flat(file) => (c, z, y, x),
        [1, c, y, x] | [c, y, x] => (c, 1, y, x),
        _ => panic!("{}: {shape:?}", file.display()),
    };
    Array4::from_shape_vec(shape, values).unwrap()
}

fn is_flat(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    name.starts_with("spatial2d") || name.contains("_2d")
}

fn check(file: &Path, ours: &Array4<f32>) {
    let expected = array(file, "expected_data");
    assert_eq!(ours.shape(), expected.shape(), "{}", file.display());
    let error = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error <= IMAGE, "{}: differs by {error}", file.display());
}

fn folder(test: &str) -> Option<PathBuf> {
    reference("augment", &format!("transforms::{test}"))
}

#[test]
fn rotation_and_scaling() {
    let Some(folder) = folder("rotation_and_scaling") else { return };
    let cases = [
        ("spatial3d_rot_scale_down", [18, 20, 16], [0.35, -0.2, 0.5], 1.3),
        ("spatial3d_rot_only", [18, 20, 16], [-0.4, 0.15, 0.25], 1.0),
        ("spatial3d_scale_up", [18, 20, 16], [0.0; 3], 0.75),
        ("spatial3d_border_labels_minus1", [18, 18, 18], [0.52, 0.4, -0.5], 1.4),
        ("spatial2d_rot_scale", [1, 32, 28], [1.1, 0.0, 0.0], 0.85),
        ("spatial2d_rot_scale_up", [1, 32, 28], [-2.5, 0.0, 0.0], 1.25),
    ];
    for (name, patch, angles, scale) in cases {
        let file = folder.join(format!("{name}.npz"));
        let (data, seg) = spatial(&array(&file, "data"), &array(&file, "seg"), patch, angles, scale);
        check(&file, &data);
        let expected = array(&file, "expected_seg");
        let same = seg.iter().zip(&expected).filter(|(a, b)| a == b).count() as f64 / seg.len() as f64;
        assert!(same >= LABELS, "{name}: {same} of the labels agree");
    }
}

#[test]
fn intensities() {
    let Some(folder) = folder("intensities") else { return };
    let run = |name: &str, change: &dyn Fn(ndarray::ArrayViewMut3<'_, f32>)| {
        let file = folder.join(format!("{name}.npz"));
        let mut data = array(&file, "data");
        data.axis_iter_mut(Axis(0)).for_each(change);
        check(&file, &data);
    };
    run("blur_sigma0.5_3d", &|channel| blur(channel, 0.5));
    run("blur_sigma1.0_3d", &|channel| blur(channel, 1.0));
    run("contrast_0.75", &|channel| contrast(channel, 0.75));
    run("lowres_0.63_3d", &|channel| simulate_low_resolution(channel, 0.63, false));
    run("lowres_0.5_3d", &|channel| simulate_low_resolution(channel, 0.5, false));
    run("gamma_0.7_invert1_retain1", &|channel| gamma(channel, 0.7, true));
    run("gamma_0.82_invert0_retain1", &|channel| gamma(channel, 0.82, false));
}

#[test]
fn mirroring() {
    let Some(folder) = folder("mirroring") else { return };
    for (name, axes) in [("mirror_0", vec![0]), ("mirror_02", vec![0, 2]), ("mirror_012", vec![0, 1, 2])] {
        let file = folder.join(format!("{name}.npz"));
        let mut data = array(&file, "data");
        mirror(&mut data, &axes);
        check(&file, &data);
    }
}

/// Halving takes the odd voxels, as scikit-image does.
#[test]
fn targets_of_lower_resolutions() {
    let seg = Array4::from_shape_fn((1, 4, 4, 4), |(_, z, y, x)| (z * 16 + y * 4 + x) as f32);
    let small = &downsample_labels(&seg, &[[0.5, 0.5, 1.0]])[0];
    assert_eq!(small.shape(), [1, 2, 2, 4]);
    assert_eq!(small[[0, 0, 0, 0]], 20.0);
}
