//! Components of the kinds with tensors (architectures, losses, trainers) in a crate that knows no tensors: their traits
//! are in nnunet-plugin-torch.

use std::marker::PhantomData;

use crate::{Component, Config, Factory, Info, Kind, Make, Result, TensorFactory};

/// Turns constructors of a type into a factory. `Crate` is a type of nnunet-plugin-torch, which implements this trait for
/// [`ArchitectureOf`], [`BlockOf`], [`HeadOf`], [`LossOf`], [`OptimizerOf`], [`MetricOf`] and [`TrainerOf`] every type that has the trait in question.
#[diagnostic::on_unimplemented(
    message = "`{Self}` needs a type that implements the author trait of its kind",
    note = "implement `Architecture`, `Block`, `Head`, `Loss`, `Optimizer`, `Metric` or `Trainer`, and enable the feature `torch` of nnunet-plugin-api"
)]
pub trait IntoFactory<Crate> {
    /// What a constructor returns.
    type Made: ?Sized;

    /// The factory that calls a constructor.
    fn factory(make: Make<Self::Made>) -> TensorFactory;
}

macro_rules! tensor_kinds {
    ($($(#[$meta:meta])* $fn:ident, $kind:ident, $of:ident, $of_doc:literal;)*) => {
        $(
            #[doc = $of_doc]
            #[derive(Debug)]
            pub struct $of<T: ?Sized>(PhantomData<T>);
        )*

        impl Component {
            $(
                $(#[$meta])*
                pub fn $fn<F, T, Crate>(info: Info, make: F) -> Self
                where
                    T: ?Sized,
                    F: Fn(&Config) -> Result<Box<T>> + Send + Sync + 'static,
                    $of<T>: IntoFactory<Crate, Made = T>,
                {
                    let factory = Factory::Tensors($of::<T>::factory(Box::new(make)));
                    Self { info: Info { kind: Kind::$kind, ..info }, factory }
                }
            )*
        }
    };
}

tensor_kinds! {
    /// An architecture and how to make it: `make` returns a boxed type that implements `Architecture`.
    architecture, Architecture, ArchitectureOf, "Stands for architectures of a type.";
    /// A block of networks and how to make it: `make` returns a boxed type that implements `Block`, or a closure that
    /// builds a layer.
    block, Block, BlockOf, "Stands for blocks of a type.";
    /// A head and how to make it: `make` returns a boxed type that implements `Head`.
    head, Head, HeadOf, "Stands for heads of a type.";
    /// A loss and how to make it: `make` returns a boxed type that implements `Loss`.
    loss, Loss, LossOf, "Stands for losses of a type.";
    /// An optimizer and how to make it: `make` returns a boxed type that implements `Optimizer`.
    optimizer, Optimizer, OptimizerOf, "Stands for optimizers of a type.";
    /// A metric and how to make it: `make` returns a boxed type that implements `Metric`.
    metric, Metric, MetricOf, "Stands for metrics of a type.";
    /// A trainer and how to make it: `make` returns a boxed type that implements `Trainer`.
    trainer, Trainer, TrainerOf, "Stands for trainers of a type.";
}
