//! Training steps on a phantom, for the tests of architectures, losses and trainers.

use nnunet_plugin_core::vocabulary::Blueprint;
use nnunet_plugin_core::{Error, Result, serde_json};
use nnunet_plugin_torch::tch::{Device, Kind, Reduction, Tensor};
use nnunet_plugin_torch::{
    Architecture, Init, Loss, LossContext, Network, NetworkSpec, Trainer, TrainerContext, VarFactory,
};

use crate::variables::Variables;
use crate::{phantoms, random};

const CHANNELS: usize = 2;
const CLASSES: usize = 3;
const SIZE: [usize; 3] = [16, 16, 16];

/// A training in small: some steps of gradient descent on one phantom. What is not set is a network of one convolution,
/// cross entropy, and the learning rate 0.01.
///
/// ```no_run
/// use nnunet_plugin_api::tch::{Reduction, Tensor};
/// use nnunet_plugin_api::{Loss, Result};
///
/// struct SmoothedLabels;
/// impl Loss for SmoothedLabels {
///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
///         let labels = target.f_select(1, 0)?;
///         Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.1)?)
///     }
/// }
///
/// let losses = nnunet_plugin_test::Training::default().loss(&SmoothedLabels).run(10).unwrap();
/// assert!(losses[9] < losses[0]);
/// ```
#[derive(Default)]
pub struct Training<'a> {
    architecture: Option<&'a dyn Architecture>,
    loss: Option<&'a dyn Loss>,
    trainer: Option<&'a dyn Trainer>,
}

impl std::fmt::Debug for Training<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Training")
    }
}

impl<'a> Training<'a> {
    /// Trains this architecture.
    #[must_use]
    pub fn architecture(self, architecture: &'a dyn Architecture) -> Self {
        Self { architecture: Some(architecture), ..self }
    }

    /// Trains with this loss.
    #[must_use]
    pub fn loss(self, loss: &'a dyn Loss) -> Self {
        Self { loss: Some(loss), ..self }
    }

    /// Trains with this trainer's settings, loss and learning rate.
    #[must_use]
    pub fn trainer(self, trainer: &'a dyn Trainer) -> Self {
        Self { trainer: Some(trainer), ..self }
    }

    /// Runs the steps and returns the loss of each. The same training returns the same losses, also where tests run in
    /// parallel, as long as no other code draws from libtorch's generator meanwhile.
    ///
    /// # Errors
    /// Returns an error of a component, or if a loss is not a finite number.
    pub fn run(&self, steps: usize) -> Result<Vec<f64>> {
        let _turn = random::seeded();
        let mut variables = Variables::default();
        let architecture = self.architecture.unwrap_or(&Convolution);
        let mut network = architecture.build(&mut variables, &spec()?)?;
        network.set_training(true)?;
        let (image, target) = batch();
        let own = self.own_loss()?;
        let loss = own.as_deref().or(self.loss).unwrap_or(&CrossEntropy);
        let (blueprint, mut losses) = (self.blueprint()?, Vec::new());
        for step in 0..steps {
            let outputs = network.forward(&image, true)?;
            let output = outputs.first().ok_or_else(|| Error::message("the network has no output"))?;
            let value = loss.forward(output, &target)?;
            let number = f64::try_from(value.f_detach()?)?;
            if !number.is_finite() {
                return Err(Error::NotFinite(format!("loss {number} of step {step}")));
            }
            losses.push(number);
            value.f_backward()?;
            variables.step(self.rate(step, &blueprint)?)?;
        }
        Ok(losses)
    }

    fn own_loss(&self) -> Result<Option<Box<dyn Loss>>> {
        let context = LossContext { num_classes: CLASSES, batch_dice: true };
        self.trainer.filter(|_| self.loss.is_none()).map_or(Ok(None), |trainer| trainer.loss(&context))
    }

    fn blueprint(&self) -> Result<Blueprint> {
        let context = TrainerContext { configuration: "3d_fullres".to_owned(), ..TrainerContext::default() };
        let mut blueprint = Blueprint::default();
        self.trainer.map_or(Ok(()), |trainer| trainer.configure(&mut blueprint, &context))?;
        Ok(blueprint)
    }

    fn rate(&self, step: usize, blueprint: &Blueprint) -> Result<f64> {
        const RATE: f64 = 0.01;
        let Some(trainer) = self.trainer else { return Ok(RATE) };
        Ok(trainer.learning_rate(step, blueprint)?.unwrap_or(blueprint.initial_lr))
    }
}

fn spec() -> Result<NetworkSpec> {
    let spec = serde_json::json!({
        "num_input_channels": CHANNELS, "num_classes": CLASSES, "base_num_features": 4, "conv_per_stage": 2,
        "patch_size": SIZE, "pool_op_kernel_sizes": [[2, 2, 2], [2, 2, 2]],
        "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3], [3, 3, 3]],
    });
    serde_json::from_value(spec).map_err(|error| Error::message(error.to_string()))
}

/// A phantom as a batch of one: the image (1, channels, z, y, x), and its labels (1, 1, z, y, x).
fn batch() -> (Tensor, Tensor) {
    let space = SIZE.map(|len| len as i64);
    let image = phantoms::image(CHANNELS, SIZE);
    let values: Vec<f32> = image.iter().copied().collect();
    let image = Tensor::from_slice(&values).reshape([&[1, CHANNELS as i64], &space[..]].concat());
    let labels: Vec<i64> = phantoms::labels(SIZE).iter().map(|label| i64::from(*label)).collect();
    (image, Tensor::from_slice(&labels).reshape([&[1, 1], &space[..]].concat()))
}

/// A network of one convolution.
struct Convolution;

impl Architecture for Convolution {
    fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
        let shape = [spec.num_classes as i64, spec.num_input_channels as i64, 3, 3, 3];
        let weight = vars.parameter("weight", &shape, Init::KaimingNormal { negative_slope: 0.0 })?;
        let bias = vars.parameter("bias", &shape[..1], Init::Constant { value: 0.0 })?;
        Ok(Box::new(ConvolutionNetwork { weight, bias }))
    }
}

struct ConvolutionNetwork {
    weight: Tensor,
    bias: Tensor,
}

impl Network for ConvolutionNetwork {
    fn forward(&self, input: &Tensor, _deep_supervision: bool) -> Result<Vec<Tensor>> {
        Ok(vec![input.f_conv3d(&self.weight, Some(&self.bias), [1; 3], [1; 3], [1; 3], 1)?])
    }
}

struct CrossEntropy;

impl Loss for CrossEntropy {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let labels = target.f_select(1, 0)?.f_to_kind(Kind::Int64)?.f_to_device(Device::Cpu)?;
        Ok(logits.f_cross_entropy_loss(&labels, None::<&Tensor>, Reduction::Mean, -100, 0.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phantom_can_be_learned() {
        let losses = Training::default().run(20).unwrap();
        assert!(losses[19] < 0.8 * losses[0], "{losses:?}");
        assert_eq!(losses, Training::default().run(20).unwrap());
    }

    #[test]
    fn a_trainers_learning_rate_is_used() {
        struct Still;
        impl Trainer for Still {
            fn learning_rate(&self, _epoch: usize, _blueprint: &Blueprint) -> Result<Option<f64>> {
                Ok(Some(0.0))
            }
        }
        let losses = Training::default().trainer(&Still).run(2).unwrap();
        assert_eq!(losses[0], losses[1]);
    }
}
