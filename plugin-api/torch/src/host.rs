//! Components with tensors of the program that runs a plugin, by name: parts of a plugin's own.

use nnunet_plugin_core::abi::v1::Created;
use nnunet_plugin_core::abi::v1::adapter::{another_kind, create_in_host, label_of_host, later_in_host};
use nnunet_plugin_core::{Config, Kind, Result};

use crate::abi;
use crate::{Architecture, Block, Head, Loss, Metric, Optimizer, Trainer};

macro_rules! components {
    ($($(#[$doc:meta])* $fn:ident, $kind:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Returns an error if there is no component of this name, if the parameters do not fit, or without a host.
            pub fn $fn(name: &str, config: &Config) -> Result<Box<dyn $kind>> {
                let label = label_of_host(Kind::$kind, name);
                match create_in_host(Kind::$kind, name, config).map_err(|error| error.within(&label))? {
                    Created::$kind(object) => abi::$fn::import(object, label),
                    _ => Err(another_kind(&label)),
                }
            }
        )*
    };
}

components! {
    /// An architecture of the host, built-in or not.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::{Architecture, Config, Network, NetworkSpec, Result, VarFactory, host};
    ///
    /// /// `Generic_UNet` with three convolutions in every stage.
    /// struct Deeper;
    ///
    /// impl Architecture for Deeper {
    ///     fn build(&self, vars: &mut dyn VarFactory, spec: &NetworkSpec) -> Result<Box<dyn Network>> {
    ///         let spec = NetworkSpec { conv_per_stage: 3, ..spec.clone() };
    ///         host::architecture("Generic_UNet", &Config::new())?.build(vars, &spec)
    ///     }
    /// }
    /// ```
    architecture, Architecture;
    /// A loss of the host.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::tch::{Kind, Tensor};
    /// use nnunet_plugin_api::{Config, Loss, Result, host};
    ///
    /// /// Dice and cross entropy, plus a penalty on large logits.
    /// struct WithPenalty(Box<dyn Loss>);
    ///
    /// impl Loss for WithPenalty {
    ///     fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    ///         let penalty = logits.f_square()?.f_mean(Kind::Float)?;
    ///         Ok(self.0.forward(logits, target)?.f_add(&penalty.f_mul_scalar(1e-4)?)?)
    ///     }
    /// }
    ///
    /// fn make(config: &Config) -> Result<Box<dyn Loss>> {
    ///     Ok(Box::new(WithPenalty(host::loss("DC_and_CE_loss", config)?)))
    /// }
    /// ```
    loss, Loss;
    /// A trainer of the host.
    trainer, Trainer;
}

macro_rules! later_components {
    ($($(#[$doc:meta])* $fn:ident, $kind:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// Returns an error if there is no component of this name, if the parameters do not fit, or without a host.
            pub fn $fn(name: &str, config: &Config) -> Result<Box<dyn $kind>> {
                let (object, label) = later_in_host(Kind::$kind, name, config)?;
                abi::$fn::import(object, label)
            }
        )*
    };
}

later_components! {
    /// A block of networks of the host: a part of an architecture of one's own.
    block, Block;
    /// A head of the host.
    head, Head;
    /// An optimizer of the host: one of one's own can call it, and change parameters before or after.
    ///
    /// ```no_run
    /// use nnunet_plugin_api::tch::Tensor;
    /// use nnunet_plugin_api::{Config, Optimized, Optimizer, Result, host};
    ///
    /// /// AdamW, whose gradients are centralized first.
    /// struct Centralized(Box<dyn Optimizer>);
    ///
    /// impl Optimizer for Centralized {
    ///     fn initial_state(&self, parameter: &Tensor) -> Result<Vec<(String, Tensor)>> {
    ///         self.0.initial_state(parameter)
    ///     }
    ///
    ///     fn step(&mut self, parameters: &mut [Optimized], learning_rate: f64) -> Result<()> {
    ///         for Optimized { gradient, .. } in parameters.iter_mut().filter(|one| one.gradient.dim() > 1) {
    ///             let axes: Vec<i64> = (1..gradient.dim() as i64).collect();
    ///             let _ = gradient.f_sub_(&gradient.f_mean_dim(axes.as_slice(), true, gradient.kind())?)?;
    ///         }
    ///         self.0.step(parameters, learning_rate)
    ///     }
    /// }
    ///
    /// fn make(config: &Config) -> Result<Box<dyn Optimizer>> {
    ///     Ok(Box::new(Centralized(host::optimizer("AdamW", config)?)))
    /// }
    /// ```
    optimizer, Optimizer;
    /// A metric of the host.
    metric, Metric;
}
