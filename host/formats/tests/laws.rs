//! What is written is read back, whatever the image.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

use ndarray::{Array3, ArrayView3, Axis};
use nnunet_formats::{Geometry, Image, Result, meta_image, nifti, nrrd};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, proptest};

type Write = fn(&Path, ArrayView3<'_, f32>, &Geometry) -> Result<()>;
type Read = fn(&Path) -> Result<Image>;

const FORMATS: [(&str, Write, Read); 4] = [
    ("nii.gz", nifti::write_image, nifti::read),
    ("nii", nifti::write_image, nifti::read),
    ("mha", meta_image::write_image, meta_image::read),
    ("nrrd", nrrd::write_image, nrrd::read),
];

fn image() -> impl Strategy<Value = Array3<f32>> {
    let filled = |shape: [usize; 3]| (Just(shape), vec(-1e6_f32..1e6, shape.iter().product::<usize>()));
    [1..7_usize, 1..7_usize, 1..7_usize]
        .prop_flat_map(filled)
        .prop_map(|(shape, values)| Array3::from_shape_vec(shape, values).unwrap())
}

/// Turned about the third axis, and mirrored or not.
fn direction() -> impl Strategy<Value = [f64; 9]> {
    (-3.0_f64..3.0, 0..2_u8).prop_map(|(angle, mirrored)| {
        let (sin, cos) = angle.sin_cos();
        let sign = 1.0 - 2.0 * f64::from(mirrored);
        [cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, sign]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn images_come_back(
        image in image(),
        spacing in [0.1_f64..10.0, 0.1_f64..10.0, 0.1_f64..10.0],
        origin in [-500.0_f64..500.0, -500.0_f64..500.0, -500.0_f64..500.0],
        direction in direction(),
    ) {
        let (z, y, x) = image.dim();
        let geometry = Geometry { size: [x, y, z], spacing, origin, direction };
        let folder = tempfile::tempdir().unwrap();
        for (ending, write, read) in FORMATS {
            let path = folder.path().join(format!("image.{ending}"));
            write(&path, image.view(), &geometry).unwrap();
            let back = read(&path).unwrap();
            prop_assert_eq!(&back.data, &image, "{}", ending);
            // NIfTI stores places in single precision.
            let near = |a: &[f64], b: &[f64], scale: f64| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * scale);
            prop_assert!(near(&back.geometry.spacing, &spacing, 10.0), "{}: {:?}", ending, back.geometry);
            prop_assert!(near(&back.geometry.origin, &origin, 500.0), "{}: {:?}", ending, back.geometry);
            prop_assert!(near(&back.geometry.direction, &direction, 1.0), "{}: {:?}", ending, back.geometry);
        }
    }

    #[test]
    fn labels_come_back(image in image()) {
        let labels = image.mapv(|value| (value.abs() as u32 % 256) as u8);
        let geometry = Geometry { size: [labels.len_of(Axis(2)), labels.len_of(Axis(1)), labels.len_of(Axis(0))], ..unit() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.nii.gz");
        nifti::write_labels(&path, labels.view(), &geometry).unwrap();
        prop_assert_eq!(nifti::read(&path).unwrap().data.mapv(|value| value as u8), labels);
    }
}

fn unit() -> Geometry {
    let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    Geometry { size: [1; 3], spacing: [1.0; 3], origin: [0.0; 3], direction }
}
