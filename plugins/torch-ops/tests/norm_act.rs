//! The operator that normalizes and rectifies in place, against the same in double precision.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use nnunet_torch_ops::{instance_norm_act, scale_act, takes_norm_act};
use tch::{Device, Kind, Tensor};

const EPS: f64 = 1e-5;

/// Channels innermost, as convolutions leave them; channels lie far from zero, which sums in single precision would not survive.
fn features(channels: i64, space: &[i64], kind: Kind) -> Tensor {
    let size = [&[2], space, &[channels]].concat();
    let values = Tensor::randn(size.as_slice(), (Kind::Float, Device::Cpu));
    let means = Tensor::arange(channels, (Kind::Float, Device::Cpu)) * 3.0 - 7.0;
    (values + means).to_kind(kind).movedim_int(-1, 1)
}

fn rectified(x: &Tensor, slope: f64) -> Tensor {
    x.clamp_min(0.0) + x.clamp_max(0.0) * slope
}

/// The values of an instance norm with a leaky rectifier in double precision.
fn expected(x: &Tensor, weight: &Tensor, bias: &Tensor, slope: f64) -> Tensor {
    let x = x.to_kind(Kind::Double).contiguous();
    let (weight, bias) = (weight.to_kind(Kind::Double), bias.to_kind(Kind::Double));
    let normed =
        x.instance_norm(Some(weight), Some(bias), None::<&Tensor>, None::<&Tensor>, true, 0.0, EPS, false);
    rectified(&normed, slope)
}

fn largest(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max()).unwrap()
}

#[test]
fn values_are_those_of_double_precision_for_any_number_of_threads() {
    tch::manual_seed(3);
    let threads = tch::get_num_threads();
    for (kind, tolerance) in [(Kind::Float, 2e-5), (Kind::BFloat16, 0.06)] {
        for (channels, space) in
            [(5, vec![3, 4, 5]), (32, vec![20, 31, 30]), (1, vec![70, 90]), (37, vec![1, 2, 1])]
        {
            let x = features(channels, &space, kind);
            let weight = Tensor::rand([channels], (Kind::Float, Device::Cpu)) + 0.5;
            let bias = Tensor::randn([channels], (Kind::Float, Device::Cpu));
            assert!(takes_norm_act(&x));
            for slope in [0.01, 0.0, 1.0] {
                let wanted = expected(&x, &weight, &bias, slope);
                let done = [1, 2, 3].map(|count| {
                    tch::set_num_threads(count);
                    let x = x.copy();
                    instance_norm_act(&x, (&weight, &bias), EPS, slope).unwrap();
                    x
                });
                let error = largest(&done[0], &wanted);
                assert!(error < tolerance, "{kind:?}, {channels} of {space:?}: {error}");
                assert!(
                    done[0].equal(&done[1]) && done[0].equal(&done[2]),
                    "{kind:?}, {channels} of {space:?}"
                );
            }
        }
    }
    tch::set_num_threads(threads);
}

#[test]
fn channels_are_scaled_in_place() {
    let x = features(6, &[7, 8, 9], Kind::Float);
    let scale = Tensor::randn([6], (Kind::Float, Device::Cpu));
    let offset = Tensor::randn([6], (Kind::Float, Device::Cpu));
    let by_channel = |values: &Tensor| values.reshape([1, 6, 1, 1, 1]);
    let wanted = rectified(&(&x * by_channel(&scale) + by_channel(&offset)), 0.01);
    scale_act(&x, (&scale, &offset), 0.01).unwrap();
    assert!(largest(&x, &wanted) < 1e-5);
}

#[test]
fn other_layouts_and_types_are_refused() {
    let x = features(6, &[7, 8, 9], Kind::Float);
    let ones = Tensor::ones([6], (Kind::Float, Device::Cpu));
    for other in [x.contiguous(), x.to_kind(Kind::Double), x.narrow(1, 0, 3)] {
        assert!(!takes_norm_act(&other));
        assert!(instance_norm_act(&other, (&ones, &ones), EPS, 0.01).is_err());
    }
    let few = Tensor::ones([5], (Kind::Float, Device::Cpu));
    assert!(instance_norm_act(&x, (&few, &few), EPS, 0.01).is_err());
}
