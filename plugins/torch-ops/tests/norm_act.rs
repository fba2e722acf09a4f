//! The operator that normalizes and rectifies, and its gradients, against the same in double precision.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use nnunet_torch_ops::{NormAct, instance_norm_act, scale_act, takes_norm_act};
use tch::{Device, Kind, Tensor, no_grad};

const EPS: f64 = 1e-5;
const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

fn how(slope: f64, in_place: bool) -> NormAct {
    NormAct { eps: EPS, slope, in_place }
}

/// Channels innermost, as convolutions leave them; their means lie far from zero, which sums in single precision would not survive.
fn features(channels: i64, space: &[i64], kind: Kind) -> Tensor {
    let size = [&[2], space, &[channels]].concat();
    let means = Tensor::arange(channels, CPU) * 3.0 - 7.0;
    (Tensor::randn(size.as_slice(), CPU) + means).to_kind(kind).movedim_int(-1, 1)
}

fn double(x: &Tensor) -> Tensor {
    x.detach().to_kind(Kind::Double).contiguous()
}

fn rectified(x: &Tensor, slope: f64) -> Tensor {
    x.clamp_min(0.0) + x.clamp_max(0.0) * slope
}

/// The values in double precision.
fn expected(x: &Tensor, weight: &Tensor, bias: &Tensor, slope: f64) -> Tensor {
    let none = None::<&Tensor>;
    let (x, weight, bias) = (double(x), double(weight), double(bias));
    let normed = x.instance_norm(Some(&weight), Some(&bias), none, none, true, 0.0, EPS, false);
    rectified(&normed, slope)
}

fn largest(a: &Tensor, b: &Tensor) -> f64 {
    f64::try_from((double(a) - double(b)).abs().max()).unwrap()
}

#[test]
fn values_are_those_of_double_precision_for_any_number_of_threads() {
    tch::manual_seed(3);
    let threads = tch::get_num_threads();
    // The rounding of a value of 100, which is 4e-6, times the largest weight, is in all of them.
    for (kind, tolerance) in [(Kind::Float, 4e-5), (Kind::BFloat16, 0.06)] {
        for (channels, space) in
            [(5, vec![3, 4, 5]), (32, vec![20, 31, 30]), (1, vec![70, 90]), (37, vec![3, 4, 2])]
        {
            let x = features(channels, &space, kind);
            let (weight, bias) = (Tensor::rand([channels], CPU) + 0.5, Tensor::randn([channels], CPU));
            assert!(takes_norm_act(&x));
            for slope in [0.01, 0.0, 1.0] {
                let wanted = expected(&x, &weight, &bias, slope);
                let done = [(1, true), (2, true), (3, false)].map(|(count, in_place)| {
                    tch::set_num_threads(count);
                    let x = x.copy();
                    let y = instance_norm_act(&x, (&weight, &bias), None, how(slope, in_place)).unwrap();
                    assert_eq!(x.data_ptr() == y.data_ptr(), in_place);
                    y
                });
                let error = largest(&done[0], &wanted);
                assert!(error < tolerance, "{kind:?}, {channels} of {space:?}: {error}");
                for other in &done[1..] {
                    assert!(done[0].equal(other), "{kind:?}, {channels} of {space:?}");
                }
            }
        }
    }
    tch::set_num_threads(threads);
}

#[test]
fn channels_are_scaled_in_place() {
    let x = features(6, &[7, 8, 9], Kind::Float);
    let (scale, offset) = (Tensor::randn([6], CPU), Tensor::randn([6], CPU));
    let by_channel = |values: &Tensor| values.reshape([1, 6, 1, 1, 1]);
    let wanted = rectified(&(&x * by_channel(&scale) + by_channel(&offset)), 0.01);
    let y = scale_act(&x, (&scale, &offset), how(0.01, true)).unwrap();
    assert!(largest(&y, &wanted) < 1e-5);
    assert_eq!(x.data_ptr(), y.data_ptr());
}

#[test]
fn other_layouts_and_types_are_refused() {
    let x = features(6, &[7, 8, 9], Kind::Float);
    let ones = Tensor::ones([6], CPU);
    let run = |x: &Tensor, weight: &Tensor| instance_norm_act(x, (weight, &ones), None, how(0.01, true));
    for other in [x.contiguous(), x.to_kind(Kind::Double), x.narrow(1, 0, 3)] {
        assert!(run(&other, &ones).is_err());
    }
    assert!(!takes_norm_act(&x.to_kind(Kind::Double)));
    assert!(run(&x, &Tensor::ones([5], CPU)).is_err());
    assert!(run(&x, &ones).is_ok());
}

/// Input, weight and bias, and the gradient of the output.
struct Case {
    inputs: [Tensor; 3],
    gradient: Tensor,
    slope: f64,
}

impl Case {
    fn new(kind: Kind, slope: f64) -> Self {
        let x = features(19, &[6, 9, 11], kind);
        let gradient = Tensor::randn(x.size(), CPU).to_kind(kind);
        let (weight, bias) = (Tensor::rand([19], CPU) + 0.5, Tensor::randn([19], CPU));
        Self { inputs: [x, weight, bias], gradient, slope }
    }

    /// The sum of the outputs times their gradients, in double precision, with inputs moved by `step`.
    fn sum(&self, directions: &[Tensor; 3], step: f64) -> f64 {
        let [x, weight, bias] = [0, 1, 2].map(|i| double(&self.inputs[i]) + &directions[i] * step);
        let y = expected(&x, &weight, &bias, self.slope);
        f64::try_from((y * double(&self.gradient)).sum(Kind::Double)).unwrap()
    }

    /// The gradients of input, weight, bias and of the bias that the normalization cancels.
    fn gradients(&self, threads: i32) -> [Tensor; 4] {
        tch::set_num_threads(threads);
        let leaves = self.inputs.each_ref().map(|tensor| tensor.copy().set_requires_grad(true));
        let canceled = Tensor::zeros([19], CPU).set_requires_grad(true);
        // The output of an operator, whose memory may be used again.
        let x = &leaves[0] * 1.0;
        let y = instance_norm_act(&x, (&leaves[1], &leaves[2]), Some(&canceled), how(self.slope, true));
        (y.unwrap() * &self.gradient).sum(Kind::Float).backward();
        let [x, weight, bias] = leaves.map(|leaf| leaf.grad());
        [x, weight, bias, canceled.grad()]
    }

    /// The largest error of a derivative along random directions, relative to the size of the gradient.
    fn error(&self, gradients: &[Tensor; 4]) -> f64 {
        let zeros = || self.inputs.each_ref().map(|tensor| double(tensor).zeros_like());
        let errors = (0..3).map(|i| {
            let mut directions = zeros();
            directions[i] = directions[i].randn_like();
            let step = 1e-6;
            let slope = (self.sum(&directions, step) - self.sum(&directions, -step)) / (2.0 * step);
            let own = double(&gradients[i]);
            let ours = f64::try_from((&own * &directions[i]).sum(Kind::Double)).unwrap();
            (slope - ours).abs() / f64::try_from(own.norm()).unwrap()
        });
        errors.fold(0.0, f64::max)
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    tch::manual_seed(7);
    let threads = tch::get_num_threads();
    for (kind, tolerance) in [(Kind::Float, 2e-5), (Kind::BFloat16, 0.05)] {
        // With a slope of 0 the input is saved, else the output.
        for slope in [0.01, 1.0, 0.0] {
            let case = Case::new(kind, slope);
            let gradients = case.gradients(1);
            let error = case.error(&gradients);
            assert!(error < tolerance, "{kind:?}, slope {slope}: {error}");
            for (one, two) in gradients.iter().zip(&case.gradients(2)) {
                assert!(one.equal(two), "{kind:?}, slope {slope}: two threads give other gradients");
            }
            assert_eq!(f64::try_from(gradients[3].abs().sum(Kind::Double)).unwrap(), 0.0);
        }
    }
    tch::set_num_threads(threads);
}

#[test]
fn channels_with_a_weight_of_almost_zero_keep_exact_gradients() {
    tch::manual_seed(8);
    for value in [0.0, 1e-4, -2e-3] {
        let case = Case::new(Kind::Float, 0.01);
        let _ = no_grad(|| case.inputs[1].get(3).fill_(value));
        let gradients = case.gradients(1);
        let error = case.error(&gradients);
        assert!(error < 2e-5, "a weight of {value}: {error}");
    }
}

/// What is saved is the output itself: changing the input's memory afterwards would be noticed otherwise.
#[test]
fn the_input_is_not_kept() {
    let case = Case::new(Kind::Float, 0.01);
    let [weight, bias] = [1, 2].map(|i| case.inputs[i].copy().set_requires_grad(true));
    let x = case.inputs[0].copy();
    let y = instance_norm_act(&x, (&weight, &bias), None, how(0.01, true)).unwrap();
    assert_eq!(x.data_ptr(), y.data_ptr());
    (y * &case.gradient).sum(Kind::Float).backward();
    assert!(f64::try_from(weight.grad().abs().sum(Kind::Double)).unwrap() > 0.0);
}
