//! The parameters of a network, owned outside of it.

use std::collections::HashSet;

use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Init, Result, VarFactory};

/// One named tensor.
#[derive(Debug)]
pub struct Parameter {
    /// Name in the state dict.
    pub name: String,
    /// The tensor; a leaf when it is trained.
    pub tensor: Tensor,
    /// Whether the optimizer changes it.
    pub trainable: bool,
    /// The parameter it is a second name of.
    pub same_as: Option<String>,
}

/// All parameters of a network in the order of their creation, which is the order of the state dict.
#[derive(Debug)]
pub struct ParameterStore {
    device: Device,
    /// The network's, then those beside it.
    parameters: Vec<Parameter>,
    /// How many are the network's; none: all.
    of_network: Option<usize>,
    /// Bytes that parameters may still take.
    room: u64,
    /// Whether parameters begin with random values where they ask for them.
    is_random: bool,
    /// Parameters that have no values yet.
    without_values: HashSet<String>,
}

impl ParameterStore {
    /// An empty store on a device.
    #[must_use]
    pub fn new(device: Device) -> Self {
        Self::with_limit(device, u64::MAX)
    }

    /// An empty store on a device; its parameters may take so many bytes together.
    #[must_use]
    pub fn with_limit(device: Device, bytes: u64) -> Self {
        Self {
            device,
            parameters: Vec::new(),
            of_network: None,
            room: bytes,
            is_random: true,
            without_values: HashSet::new(),
        }
    }

    /// An empty store for a network whose parameters come from a checkpoint. None is drawn at random first, which takes longer
    /// than reading it: those have no values until [`ParameterStore::set`].
    #[must_use]
    pub fn for_checkpoint(device: Device, bytes: u64) -> Self {
        Self { is_random: false, ..Self::with_limit(device, bytes) }
    }

    /// Those of the network, in order of creation.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters[..self.of_network.unwrap_or(self.parameters.len())]
    }

    /// Those that are trained beside the network's.
    #[must_use]
    pub fn parameters_beside(&self) -> &[Parameter] {
        &self.parameters[self.of_network.unwrap_or(self.parameters.len())..]
    }

    /// All parameters.
    #[must_use]
    pub fn all_parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The network is complete: parameters made from here on are trained beside it, and are not in its state dict.
    pub fn begin_beside(&mut self) {
        self.of_network.get_or_insert(self.parameters.len());
    }

    /// Where the parameters live.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// By name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.tensor)
    }

    /// Overwrites a parameter with float32 values in C order.
    ///
    /// # Errors
    /// Returns an error if the name is unknown, or if the shape differs.
    pub fn set(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<()> {
        let own =
            self.get(name).ok_or_else(|| Error::message(format!("the network has no parameter `{name}`")))?;
        let shape: Vec<i64> = shape.iter().map(|len| *len as i64).collect();
        if own.size() != shape {
            return Err(Error::shape(name, format!("{:?}", own.size()), format!("{shape:?}")));
        }
        let own = own.shallow_clone();
        no_grad(|| nnunet_torch_ops::copy_from_slice(&own, values))?;
        self.without_values.remove(name);
        Ok(())
    }

    /// Trained parameters, in order.
    pub fn trainable(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.trainable)
    }

    /// Nothing is trained any more: the network runs without what gradients need, and faster for it.
    ///
    /// # Errors
    /// Returns an error if the store was made for a checkpoint, and a parameter was not set; or an error of libtorch.
    pub fn freeze(&mut self) -> Result<()> {
        if let Some(name) = self.without_values.iter().next() {
            return Err(Error::message(format!("the parameter `{name}` has no values")));
        }
        for parameter in self.trainable() {
            let _ = parameter.tensor.f_set_requires_grad(false)?;
        }
        Ok(())
    }

    /// Draws all convolutions anew as v1 does when nothing is learnt: He for v1's slope, biases 0. Norms stay.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    pub fn start_convolutions_over(&mut self) -> Result<()> {
        for weight in self.trainable().filter(|parameter| parameter.tensor.dim() > 3) {
            // Filter response norms have as many axes as convolutions.
            if weight.name.contains("norm") {
                continue;
            }
            let new =
                initial(&weight.tensor.size(), Init::KaimingNormal { negative_slope: 0.01 }, self.device)?;
            no_grad(|| weight.tensor.shallow_clone().f_copy_(&new))?;
            let bias = weight.name.strip_suffix("weight").map(|name| format!("{name}bias"));
            if let Some(bias) = bias.and_then(|name| self.get(&name)) {
                let _ = no_grad(|| bias.shallow_clone().f_zero_())?;
            }
        }
        Ok(())
    }

    fn create(&mut self, name: &str, shape: &[i64], init: Init, trainable: bool) -> Result<Tensor> {
        if self.get(name).is_some() {
            return Err(Error::message(format!("the parameter `{name}` exists already")));
        }
        let parameter = match init {
            Init::Same { of } => self.second_name(name, shape, of)?,
            init => {
                self.take_room(name, shape)?;
                let tensor = if !self.is_random && is_drawn(&init) {
                    self.without_values.insert(name.to_owned());
                    Tensor::f_empty(shape, (Kind::Float, self.device))?
                } else {
                    initial(shape, init, self.device)?
                };
                let tensor = tensor.f_set_requires_grad(trainable)?;
                Parameter { name: name.to_owned(), tensor, trainable, same_as: None }
            }
        };
        let handle = parameter.tensor.shallow_clone();
        self.parameters.push(parameter);
        Ok(handle)
    }

    /// Asks for the memory of a parameter before it is taken.
    fn take_room(&mut self, name: &str, shape: &[i64]) -> Result<()> {
        let bytes = shape.iter().try_fold(ELEMENT, |bytes, len| bytes.checked_mul(u64::try_from(*len).ok()?));
        match bytes.and_then(|bytes| self.room.checked_sub(bytes)) {
            Some(room) => self.room = room,
            None => {
                return Err(Error::message(format!(
                    "the network's parameters take more memory than they may ({name} is {shape:?}); are its features \
                     and kernels right?"
                )));
            }
        }
        Ok(())
    }

    fn second_name(&self, name: &str, shape: &[i64], of: String) -> Result<Parameter> {
        let first = self.get(&of).ok_or_else(|| Error::message(format!("no parameter `{of}` yet")))?;
        if first.size() != shape {
            return Err(Error::shape(name, format!("{:?}", first.size()), format!("{shape:?}")));
        }
        let tensor = first.shallow_clone();
        Ok(Parameter { name: name.to_owned(), tensor, trainable: false, same_as: Some(of) })
    }
}

/// Bytes of an element.
const ELEMENT: u64 = 4;

impl VarFactory for ParameterStore {
    fn parameter(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.create(name, shape, init, true)
    }

    fn buffer(&mut self, name: &str, shape: &[i64], init: Init) -> Result<Tensor> {
        self.create(name, shape, init, false)
    }
}

/// Whether it draws random values.
fn is_drawn(init: &Init) -> bool {
    matches!(init, Init::Normal { .. } | Init::KaimingNormal { .. } | Init::Uniform { .. })
}

fn initial(shape: &[i64], init: Init, device: Device) -> Result<Tensor> {
    let options = (Kind::Float, device);
    Ok(match init {
        Init::Constant { value: 0.0 } => Tensor::f_zeros(shape, options)?,
        Init::Constant { value } => Tensor::f_full(shape, value, options)?,
        Init::Normal { std } => Tensor::f_randn(shape, options)? * std,
        Init::KaimingNormal { negative_slope } => {
            // torch's fan-in: all but the first axis, for transposed convolutions too.
            let fan_in: i64 = shape.iter().skip(1).product();
            let std = (2.0 / (1.0 + negative_slope * negative_slope) / fan_in as f64).sqrt();
            Tensor::f_randn(shape, options)? * std
        }
        Init::Counter => Tensor::f_zeros(shape, (Kind::Int64, device))?,
        Init::Same { of } => return Err(Error::message(format!("`{of}` is not made here"))),
        Init::Uniform { low, high } => Tensor::f_rand(shape, options)? * (high - low) + low,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_for_a_checkpoint() {
        let mut store = ParameterStore::for_checkpoint(Device::Cpu, 1 << 20);
        let sum = |tensor: &Tensor| f64::try_from(tensor.abs().sum(Kind::Double)).unwrap();
        let he = Init::KaimingNormal { negative_slope: 0.01 };
        let weight = store.parameter("weight", &[2, 2], he).unwrap();
        let norm = store.parameter("norm", &[8], Init::Constant { value: 1.0 }).unwrap();
        assert_eq!(sum(&norm), 8.0);
        let error = store.freeze().unwrap_err();
        assert!(error.to_string().contains("`weight` has no values"), "{error}");
        store.set("weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        store.freeze().unwrap();
        assert_eq!(Vec::<f32>::try_from(weight.reshape([-1])).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        let mut store = ParameterStore::with_limit(Device::Cpu, 1 << 20);
        drop(store.parameter("small", &[8, 8], Init::Constant { value: 0.0 }).unwrap());
        for shape in [[1 << 20, 1], [1 << 40, 1 << 40], [-1, 4]] {
            let error = store.parameter("large", &shape, Init::Constant { value: 0.0 }).unwrap_err();
            assert!(error.to_string().contains("take more memory than they may (large is"), "{error}");
        }
    }
}
