//! Normalization and leaky rectifier of a training on a GPU, with less memory.

use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tch::{Kind, TchError, Tensor, no_grad};
use torch_sys::C_tensor;

use crate::NormAct;
use crate::call::done;

unsafe extern "C" {
    fn nnunet_low_memory_norm_act(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        how: NormAct,
        result: *mut *mut C_tensor,
    ) -> *mut c_char;
}

static LOW: AtomicBool = AtomicBool::new(false);

/// Whether trainings on a GPU save memory from here on, at the cost of some kernels.
pub fn use_low_memory(low: bool) {
    LOW.store(low, Ordering::Relaxed);
}

/// As [`instance_norm_act`](crate::instance_norm_act) with gradients, for tensors of any device, by libtorch's operators. Its
/// output must give back its input: see [`GivesBack`].
///
/// # Errors
/// Returns an error of libtorch.
pub fn low_memory_norm_act(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    how: NormAct,
) -> Result<Tensor, TchError> {
    let mut result = std::ptr::null_mut();
    // SAFETY: the pointers are of tensors that live until the call returns; on success `result` is a new tensor that is ours.
    unsafe {
        done(nnunet_low_memory_norm_act(x.as_ptr(), weight.as_ptr(), bias.as_ptr(), how, &raw mut result))?;
        Ok(Tensor::from_ptr(result))
    }
}

/// Calls between two looks at the weights.
const INTERVAL: u32 = 256;
/// A weight is never so many times smaller than its bias and one, in single precision, ...
const LEAST: f64 = 1.0 / 64.0;
/// ... or in half precision.
const LEAST_OF_HALF: f64 = 1.0 / 8.0;

/// Whether a normalization's output gives back its input: no weight is close to 0. To know it, the program waits for the device;
/// so it looks only now and then, and asks for more than is needed.
#[derive(Debug, Default)]
pub struct GivesBack {
    calls: AtomicU32,
    last: AtomicBool,
}

impl GivesBack {
    /// Whether [`low_memory_norm_act`] is to be used for `x`: on a GPU in a training that saves memory, with a rectifier, where the
    /// output gives back the input.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn is_used(&self, x: &Tensor, affine: (&Tensor, &Tensor), how: NormAct) -> Result<bool, TchError> {
        let records = x.requires_grad() || affine.0.requires_grad();
        let applies = LOW.load(Ordering::Relaxed) && records && x.device().is_cuda();
        if !applies || how.slope <= 0.0 || how.slope == 1.0 {
            return Ok(false);
        }
        self.look(x.kind(), affine)
    }

    fn look(&self, kind: Kind, (weight, bias): (&Tensor, &Tensor)) -> Result<bool, TchError> {
        if self.calls.fetch_add(1, Ordering::Relaxed).is_multiple_of(INTERVAL) {
            let least = if kind == Kind::Float { LEAST } else { LEAST_OF_HALF };
            let smallest = no_grad(|| weight.f_abs()?.f_div(&(bias.f_abs()? + 1.0))?.f_min());
            self.last.store(f64::try_from(smallest?)? >= least, Ordering::Relaxed);
        }
        Ok(self.last.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const HOW: NormAct = NormAct { eps: 1e-5, slope: 0.01, in_place: false };

    /// Output and gradients of input, weight and bias.
    fn step(forward: impl Fn(&[Tensor; 3]) -> Tensor, values: &[Tensor; 3]) -> Vec<Tensor> {
        let leaves = values.each_ref().map(|value| value.detach().copy().set_requires_grad(true));
        let y = forward(&leaves);
        (&y * (&y + 1.0)).sum(Kind::Double).backward();
        [y.detach()].into_iter().chain(leaves.iter().map(Tensor::grad)).collect()
    }

    #[test]
    fn gradients_are_those_of_two_operators() {
        tch::manual_seed(1);
        let options = (Kind::Float, Device::Cpu);
        for shape in [[2, 3, 4, 5, 6].as_slice(), &[3, 4, 6, 5]] {
            let channels = shape[1];
            let values = [
                Tensor::randn(shape, options),
                Tensor::rand([channels], options) - 1.5,
                Tensor::randn([channels], options),
            ];
            let wanted = step(
                |[x, w, b]| {
                    let none = None::<&Tensor>;
                    x.instance_norm(Some(w), Some(b), none, none, true, 0.0, HOW.eps, false).leaky_relu()
                },
                &values,
            );
            let found = step(|[x, w, b]| low_memory_norm_act(x, (w, b), HOW).unwrap(), &values);
            for (found, wanted) in found.iter().zip(&wanted) {
                let difference = f64::try_from((found - wanted).abs().max()).unwrap();
                let size = f64::try_from(wanted.abs().max()).unwrap();
                assert!(difference <= 1e-4 * size, "{shape:?}: {difference} of {size}");
            }
        }
    }

    #[test]
    fn a_small_weight_is_seen() {
        let affine = |weight: &[f32]| (Tensor::from_slice(weight), Tensor::from_slice(&[0.5_f32; 2]));
        let gives_back = |weight: &[f32], kind| {
            let (weight, bias) = affine(weight);
            GivesBack::default().look(kind, (&weight, &bias)).unwrap()
        };
        assert!(gives_back(&[1.0, -0.1], Kind::Float));
        assert!(!gives_back(&[1.0, -0.1], Kind::BFloat16));
        assert!(!gives_back(&[1.0, 0.0], Kind::Float));
        let one = GivesBack::default();
        let looks = |weight: &[f32]| {
            let (weight, bias) = affine(weight);
            one.look(Kind::Float, (&weight, &bias)).unwrap()
        };
        assert!(looks(&[1.0, 1.0]));
        // Not looked at again yet.
        assert!(looks(&[1.0, 0.0]));
    }
}
