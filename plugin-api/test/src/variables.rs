//! The host's part in the tests of an architecture: it owns the parameters.

use nnunet_plugin_core::{Error, Result};
use nnunet_plugin_torch::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_torch::{Init, VarFactory};

/// Parameters by name, in order of creation.
///
/// ```no_run
/// use nnunet_plugin_api::{Init, VarFactory};
///
/// let mut variables = nnunet_plugin_test::Variables::default();
/// let _weight = variables.parameter("weight", &[2, 1, 3, 3], Init::Constant { value: 1.0 }).unwrap();
/// assert_eq!(variables.trainable().count(), 1);
/// ```
#[derive(Debug, Default)]
pub struct Variables(Vec<(String, Tensor)>);

impl Variables {
    /// Trained parameters, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Tensor> {
        self.0.iter().map(|(_, tensor)| tensor).filter(|tensor| tensor.requires_grad())
    }

    /// Subtracts the gradients times `rate` and clears them.
    pub(crate) fn step(&self, rate: f64) -> Result<()> {
        for tensor in self.trainable().filter(|tensor| tensor.grad().defined()) {
            let change = tensor.grad().f_mul_scalar(-rate)?;
            let mut tensor = tensor.shallow_clone();
            let _ = no_grad(|| tensor.f_add_(&change))?;
            tensor.zero_grad();
        }
        Ok(())
    }

    fn create(&mut self, name: &str, shape: &[i64], init: Init, trainable: bool) -> Result<Tensor> {
        if self.find(name).is_some() {
            return Err(Error::message(format!("the parameter `{name}` exists already")));
        }
        let tensor = match init {
            Init::Same { of } => {
                self.find(&of).ok_or_else(|| Error::message(format!("no parameter `{of}` yet")))?
            }
            init => initial(shape, &init)?.f_set_requires_grad(trainable)?,
        };
        self.0.push((name.to_owned(), tensor.shallow_clone()));
        Ok(tensor)
    }

    fn find(&self, name: &str) -> Option<Tensor> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.shallow_clone())
    }
}

impl VarFactory for Variables {
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.create(name, shape, init, true)
    }

    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.create(name, shape, init, false)
    }
}

fn initial(shape: &[i64], init: &Init) -> Result<Tensor> {
    let options = (Kind::Float, Device::Cpu);
    Ok(match init {
        Init::Constant { value } => Tensor::f_full(shape, *value, options)?,
        Init::Normal { std } => Tensor::f_randn(shape, options)?.f_mul_scalar(*std)?,
        Init::KaimingNormal { negative_slope } => {
            let fan_in: i64 = shape.iter().skip(1).product();
            let std = (2.0 / (1.0 + negative_slope * negative_slope) / fan_in as f64).sqrt();
            Tensor::f_randn(shape, options)?.f_mul_scalar(std)?
        }
        Init::Uniform { low, high } => {
            Tensor::f_rand(shape, options)?.f_mul_scalar(high - low)?.f_add_scalar(*low)?
        }
        Init::Counter => Tensor::f_zeros(shape, (Kind::Int64, Device::Cpu))?,
        Init::Same { of } => return Err(Error::message(format!("`{of}` is not made here"))),
    })
}
