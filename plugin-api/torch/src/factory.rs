//! Factories of architectures, blocks, losses, optimizers and trainers.

use std::any::Any;

use nnunet_plugin_core::abi::v1::{Created, LaterObject};
use nnunet_plugin_core::tensors::{
    ArchitectureOf, BlockOf, HeadOf, IntoFactory, LossOf, MetricOf, OptimizerOf, TrainerOf,
};
use nnunet_plugin_core::{Config, Error, Factory, Make, Result, TensorFactory};

use crate::abi::{architecture, block, head, loss, metric, optimizer, trainer};
use crate::{Architecture, Block, Head, Loss, Metric, Optimizer, Trainer};

/// Marks this crate's implementations of [`IntoFactory`].
#[derive(Debug)]
pub enum Torch {}

/// Access to the factories of the kinds that need tensors.
///
/// ```no_run
/// use nnunet_plugin_api::{Component, Config, Loss, Result, TensorFactories};
///
/// fn make(component: &Component) -> Result<Option<Box<dyn Loss>>> {
///     component.factory.loss().map(|make| make(&Config::new())).transpose()
/// }
/// ```
pub trait TensorFactories {
    /// How an architecture is made; `None` for other kinds.
    fn architecture(&self) -> Option<&Make<dyn Architecture>>;
    /// How a block of networks is made; `None` for other kinds.
    fn block(&self) -> Option<&Make<dyn Block>>;
    /// How a head is made; `None` for other kinds.
    fn head(&self) -> Option<&Make<dyn Head>>;
    /// How a loss is made; `None` for other kinds.
    fn loss(&self) -> Option<&Make<dyn Loss>>;
    /// How an optimizer is made; `None` for other kinds.
    fn optimizer(&self) -> Option<&Make<dyn Optimizer>>;
    /// How a metric is made; `None` for other kinds.
    fn metric(&self) -> Option<&Make<dyn Metric>>;
    /// How a trainer is made; `None` for other kinds.
    fn trainer(&self) -> Option<&Make<dyn Trainer>>;
}

macro_rules! kinds {
    ($($trait:ident, $fn:ident, $of:ident, $created:expr;)*) => {
        impl TensorFactories for Factory {
            $(
                fn $fn(&self) -> Option<&Make<dyn $trait>> {
                    match self {
                        Factory::Tensors(factory) => factory.downcast(),
                        _ => None,
                    }
                }
            )*
        }

        $(
            impl<T: $trait + 'static> IntoFactory<Torch> for $of<T> {
                type Made = T;

                fn factory(make: Make<T>) -> TensorFactory {
                    $of::<dyn $trait>::factory(Box::new(move |config| Ok(make(config)?)))
                }
            }

            impl IntoFactory<Torch> for $of<dyn $trait> {
                type Made = dyn $trait;

                fn factory(make: Make<dyn $trait>) -> TensorFactory {
                    TensorFactory::new(make, $fn)
                }
            }

            fn $fn(make: &(dyn Any + Send + Sync), config: &Config) -> Result<Box<dyn Any + Send>> {
                let make = make.downcast_ref::<Make<dyn $trait>>();
                let make = make.ok_or_else(|| Error::message("the component is of another kind than its factory"))?;
                Ok(Box::new($created($fn::export(make(config)?))))
            }
        )*
    };
}

kinds! {
    Architecture, architecture, ArchitectureOf, Created::Architecture;
    Block, block, BlockOf, |object| Created::Later(LaterObject::new(object));
    Head, head, HeadOf, |object| Created::Later(LaterObject::new(object));
    Loss, loss, LossOf, Created::Loss;
    Optimizer, optimizer, OptimizerOf, |object| Created::Later(LaterObject::new(object));
    Metric, metric, MetricOf, |object| Created::Later(LaterObject::new(object));
    Trainer, trainer, TrainerOf, Created::Trainer;
}
