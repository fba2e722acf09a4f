//! Room for the kinds that need tensors (architectures, losses, trainers) in a crate that knows no tensors: their traits
//! are in nnunet-plugin-torch.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

use crate::abi::v1::Created;
use crate::{Component, Config, Factory, Info, Kind, Make, Result};

/// How a component of a tensor kind is made. Only nnunet-plugin-torch makes and opens one.
pub struct TensorFactory {
    make: Box<dyn Any + Send + Sync>,
    create: fn(&(dyn Any + Send + Sync), &Config) -> Result<Created>,
}

impl TensorFactory {
    /// A factory from a [`Make`] and a function that calls it and wraps the result for the stable ABI.
    pub fn new<T: ?Sized + 'static>(
        make: Make<T>,
        create: fn(&(dyn Any + Send + Sync), &Config) -> Result<Created>,
    ) -> Self {
        Self { make: Box::new(make), create }
    }

    /// The [`Make`] of a type, if it makes that type.
    #[must_use]
    pub fn downcast<T: ?Sized + 'static>(&self) -> Option<&Make<T>> {
        self.make.downcast_ref()
    }

    /// Makes a component and wraps it for the stable ABI.
    ///
    /// # Errors
    /// Returns the error of the component's constructor.
    pub fn create(&self, config: &Config) -> Result<Created> {
        (self.create)(&*self.make, config)
    }
}

impl fmt::Debug for TensorFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TensorFactory")
    }
}

/// Turns constructors of a type into a factory. `Crate` is a type of nnunet-plugin-torch, which implements this trait for
/// [`ArchitectureOf`], [`LossOf`] and [`TrainerOf`] every type that has the trait in question.
#[diagnostic::on_unimplemented(
    message = "`{Self}` needs a type that implements the author trait of its kind",
    note = "implement `Architecture`, `Loss` or `Trainer`, and enable the feature `torch` of nnunet-plugin-api"
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
    /// A loss and how to make it: `make` returns a boxed type that implements `Loss`.
    loss, Loss, LossOf, "Stands for losses of a type.";
    /// A trainer and how to make it: `make` returns a boxed type that implements `Trainer`.
    trainer, Trainer, TrainerOf, "Stands for trainers of a type.";
}
