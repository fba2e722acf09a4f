//! What the host offers to the hooks of a trainer while it trains.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{Batch, Config, Result};

/// The name of the network that is trained, beside those that [`Training::add_network`] adds.
pub const MAIN_NETWORK: &str = "";

/// A training that goes on, as the hooks of a [`Trainer`](crate::Trainer) see it.
pub trait Training {
    /// Epoch, step and settings.
    ///
    /// # Errors
    /// Returns an error of the host.
    fn progress(&self) -> Result<Progress>;

    /// The logits of a network for images, full resolution first; with deep supervision those of the lower ones too.
    ///
    /// # Errors
    /// Returns an error if there is no network of that name, or the error of the network.
    fn forward_of(&mut self, network: &str, data: &Tensor) -> Result<Vec<Tensor>>;

    /// The logits of the network that is trained.
    ///
    /// # Errors
    /// Returns the error of the network.
    fn forward(&mut self, data: &Tensor) -> Result<Vec<Tensor>> {
        self.forward_of(MAIN_NETWORK, data)
    }

    /// The loss of the network's outputs for a batch, over all resolutions.
    ///
    /// # Errors
    /// Returns the error of the loss.
    fn loss(&mut self, outputs: &[Tensor], batch: &Batch) -> Result<Tensor>;

    /// Adds the gradients of a loss to those of the parameters. In half precision they are scaled until
    /// [`Training::clip_gradients`].
    ///
    /// # Errors
    /// Returns an error if the loss is not finite, or has no gradient.
    fn backward(&mut self, loss: &Tensor) -> Result<()>;

    /// Forgets the gradients of all parameters.
    ///
    /// # Errors
    /// Returns an error of libtorch.
    fn zero_grad(&mut self) -> Result<()>;

    /// Scales all gradients so that their joint L2 norm does not exceed `largest`. Returns the norm before, a tensor without
    /// axes.
    ///
    /// # Errors
    /// Returns an error if no parameter has a gradient.
    fn clip_gradients(&mut self, largest: Option<f64>) -> Result<Tensor>;

    /// Changes the parameters with the optimizer. Where loss or gradients are not finite, nothing is changed.
    ///
    /// # Errors
    /// Returns an error if the norm of the gradients is not finite.
    fn optimizer_step(&mut self) -> Result<()>;

    /// All tensors of a network, in the order of its state dict. They share their memory with the network.
    ///
    /// # Errors
    /// Returns an error if there is no network of that name.
    fn parameters_of(&self, network: &str) -> Result<Vec<NamedParameter>>;

    /// All tensors of the network that is trained.
    ///
    /// # Errors
    /// Returns an error of the host.
    fn parameters(&self) -> Result<Vec<NamedParameter>> {
        self.parameters_of(MAIN_NETWORK)
    }

    /// Builds another network of the trained one's architecture, with its current weights, in evaluation mode. The
    /// optimizer does not change it. It is kept in checkpoints. Does nothing if there is one of that name, as there is in
    /// a training that continues.
    ///
    /// # Errors
    /// Returns the error of the architecture.
    fn add_network(&mut self, name: &str) -> Result<()>;

    /// What is known of a training or validation case: its shape, and with preprocessed data its spacing and classes.
    ///
    /// # Errors
    /// Returns an error if there is no such case.
    fn case_properties(&self, case: &str) -> Result<Config>;
}

/// Where a training is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The step of the epoch, from 0.
    pub step: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// The largest norm of the gradients in the blueprint.
    pub gradient_clipping: Option<f64>,
    /// Output channels of the network.
    pub num_classes: usize,
}

/// A tensor of a network.
#[derive(Debug)]
pub struct NamedParameter {
    /// Name in the state dict.
    pub name: String,
    /// The tensor.
    pub tensor: Tensor,
    /// Whether the optimizer changes it; buffers such as running statistics it does not.
    pub trainable: bool,
}

/// The training step of every trainer that has none of its own: a body to start from.
///
/// ```no_run
/// use nnunet_plugin_api::tch::Tensor;
/// use nnunet_plugin_api::{Batch, Result, Trainer, Training};
///
/// /// The gradients of two batches together.
/// struct Accumulate;
///
/// impl Trainer for Accumulate {
///     fn train_step(&mut self, training: &mut dyn Training, batch: &Batch) -> Result<Option<Tensor>> {
///         let progress = training.progress()?;
///         if progress.step % 2 == 0 {
///             training.zero_grad()?;
///         }
///         let outputs = training.forward(&batch.data)?;
///         let loss = training.loss(&outputs, batch)?;
///         training.backward(&loss.f_mul_scalar(0.5)?)?;
///         if progress.step % 2 == 1 {
///             let _norm = training.clip_gradients(progress.gradient_clipping)?;
///             training.optimizer_step()?;
///         }
///         Ok(Some(loss.detach()))
///     }
/// }
/// ```
///
/// # Errors
/// Returns the error of the network, the loss or the optimizer.
pub fn built_in_step(training: &mut dyn Training, batch: &Batch) -> Result<Tensor> {
    training.zero_grad()?;
    let outputs = training.forward(&batch.data)?;
    let loss = training.loss(&outputs, batch)?;
    training.backward(&loss)?;
    let largest = training.progress()?.gradient_clipping;
    let _norm = training.clip_gradients(largest)?;
    training.optimizer_step()?;
    Ok(loss.detach())
}
