//! How components with tensors are created, in a crate that knows no tensors.

use std::any::Any;
use std::fmt;

use crate::{Config, Result};

/// Makes a `T` from parameters.
pub type Make<T> = Box<dyn Fn(&Config) -> Result<Box<T>> + Send + Sync>;

/// Creates a component with a [`Make`] and wraps it for the stable ABI: what it returns is an
/// [`abi::v1::Created`](crate::abi::v1::Created), which only the ABI needs to know.
type Create = fn(&(dyn Any + Send + Sync), &Config) -> Result<Box<dyn Any + Send>>;

/// How a component of a kind with tensors is created. Only nnunet-plugin-torch makes and opens one.
pub struct TensorFactory {
    make: Box<dyn Any + Send + Sync>,
    create: Create,
}

impl TensorFactory {
    /// A factory from a [`Make`] and a function that calls it and wraps the result for the stable ABI.
    pub fn new<T: ?Sized + 'static>(make: Make<T>, create: Create) -> Self {
        Self { make: Box::new(make), create }
    }

    /// The [`Make`] of a type, if it makes that type.
    #[must_use]
    pub fn downcast<T: ?Sized + 'static>(&self) -> Option<&Make<T>> {
        self.make.downcast_ref()
    }

    /// Creates a component and wraps it for the stable ABI, as an [`abi::v1::Created`](crate::abi::v1::Created).
    ///
    /// # Errors
    /// Returns the error of the component's constructor.
    pub fn create(&self, config: &Config) -> Result<Box<dyn Any + Send>> {
        (self.create)(&*self.make, config)
    }
}

impl fmt::Debug for TensorFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TensorFactory")
    }
}
