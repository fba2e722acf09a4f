//! Laws of resampling that hold for every array.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use ndarray::{Array3, Array4, Axis};
use nnunet_numerics::{Resampling, resample, resample_labels, resampled_shape};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};

const EDGE: std::ops::Range<usize> = 1..9;

fn shape() -> impl Strategy<Value = [usize; 3]> {
    [EDGE, EDGE, EDGE]
}

fn volume() -> impl Strategy<Value = Array3<f32>> {
    let filled = |shape: [usize; 3]| (Just(shape), vec(-100.0_f32..100.0, shape.iter().product::<usize>()));
    shape().prop_flat_map(filled).prop_map(|(shape, values)| Array3::from_shape_vec(shape, values).unwrap())
}

fn how(order: u32) -> impl Strategy<Value = Resampling> {
    (0..4_usize).prop_map(move |axis| Resampling { order, order_z: 0, separate: (axis < 3).then_some(axis) })
}

fn one_channel(volume: Array3<f32>) -> Array4<f32> {
    volume.insert_axis(Axis(0))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_grid_changes_nothing(volume in volume(), how in how(3)) {
        let shape = [volume.dim().0, volume.dim().1, volume.dim().2];
        let data = one_channel(volume);
        prop_assert_eq!(resample(data.view(), shape, how), data);
    }

    #[test]
    fn a_constant_stays_one(value in -100.0_f32..100.0, from in shape(), to in shape(), how in how(3)) {
        let data = Array4::from_elem([1, from[0], from[1], from[2]], value);
        let resampled = resample(data.view(), to, how);
        prop_assert_eq!(&resampled.shape()[1..], &to[..]);
        for other in &resampled {
            prop_assert!((other - value).abs() <= 1e-4 * value.abs().max(1.0), "{} became {}", value, other);
        }
    }

    #[test]
    fn linear_interpolation_stays_between_the_values(volume in volume(), to in shape(), how in how(1)) {
        let (low, high) = volume.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        for value in &resample(one_channel(volume).view(), to, how) {
            prop_assert!((low - 1e-3..=high + 1e-3).contains(value), "{} is outside of {} to {}", value, low, high);
        }
    }

    #[test]
    fn no_label_appears(volume in volume(), to in shape(), how in how(1)) {
        let labels = volume.mapv(|value| (value.abs() / 34.0).floor());
        for label in &resample_labels(labels.view(), to, how) {
            prop_assert!(labels.iter().any(|known| known == label), "{} was not there before", label);
        }
    }

    #[test]
    fn the_same_spacing_keeps_the_shape(shape in shape(), spacing in [0.1_f64..10.0, 0.1_f64..10.0, 0.1_f64..10.0]) {
        prop_assert_eq!(resampled_shape(shape, spacing, spacing), shape);
    }

    #[test]
    fn flipping_before_and_after_is_the_same(volume in volume(), to in shape(), how in how(1), axis in 0..3_usize, flip in any::<bool>()) {
        let flipped = |mut volume: Array3<f32>| {
            if flip {
                volume.invert_axis(Axis(axis));
            }
            volume.as_standard_layout().into_owned()
        };
        let run = |volume: Array3<f32>| resample(one_channel(volume).view(), to, how).remove_axis(Axis(0));
        let separate = how.separate == Some(axis);
        let (a, b) = (flipped(run(volume.clone())), run(flipped(volume)));
        // Nearest neighbors along a separate axis round a half towards one side.
        for (a, b) in a.iter().zip(&b).filter(|_| !separate) {
            prop_assert!((a - b).abs() <= 1e-3, "{} and {}", a, b);
        }
    }
}
