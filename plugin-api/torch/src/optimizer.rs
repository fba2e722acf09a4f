//! Optimizers: they change parameters against their gradients.

use tch::Tensor;

use crate::{Config, Result};

/// Changes parameters against their gradients. The host keeps the state of every parameter, in checkpoints as torch's
/// `optimizer.state_dict()` has it.
///
/// ```no_run
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Component, Info, Kind, Optimized, Optimizer, Registration, Result, inventory};
///
/// /// Gradient descent with momentum 0.9.
/// struct Descent;
///
/// impl Optimizer for Descent {
///     fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
///         Ok(vec![("momentum_buffer".to_owned(), parameter.f_zeros_like()?)])
///     }
///
///     fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
///         for Optimized { tensor, gradient, state, .. } in parameters {
///             let _ = state[0].f_mul_scalar_(0.9)?.f_add_(gradient)?;
///             let _ = tensor.f_sub_(&state[0].f_mul_scalar(learning_rate)?)?;
///         }
///         Ok(())
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Optimizer, "Descent", "Gradient descent with momentum 0.9.");
///     Component::optimizer(info, |_config| Ok(Box::new(Descent)))
/// }));
/// ```
pub trait Optimizer: Send {
    /// The state of a parameter before its first step: tensors by name, floating point, without axes or of the parameter's
    /// shape, on its device.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>>;

    /// Changes parameters and their state in place. Only parameters that have a gradient are given. No gradients are
    /// recorded meanwhile.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()>;

    /// What torch's `param_groups` say beside `lr` and `params`.
    fn settings(&self) -> Config {
        Config::new()
    }
}

/// A parameter in a step.
#[derive(Debug)]
pub struct Optimized {
    /// Name in the state dict.
    pub name: String,
    /// The parameter.
    pub tensor: Tensor,
    /// Its gradient.
    pub gradient: Tensor,
    /// Its state, in the order of [`Optimizer::initial_state`].
    pub state: Vec<Tensor>,
}
