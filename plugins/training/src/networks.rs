//! Networks beside the one that is trained, such as a teacher or averaged weights.

use nnunet_architectures::ParameterStore;
use nnunet_plugin_api::tch::{Tensor, no_grad};
use nnunet_plugin_api::{Error, Network, Result};

/// Builds a network of the trained one's architecture.
pub type BuildNetwork = Box<dyn Fn() -> Result<(ParameterStore, Box<dyn Network>)> + Send>;

/// A network that no optimizer changes.
pub struct SecondNetwork {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub store: ParameterStore,
    /// The network, in evaluation mode.
    pub network: Box<dyn Network>,
}

/// The networks that trainers added.
#[derive(Default)]
pub struct SecondNetworks {
    build: Option<BuildNetwork>,
    all: Vec<SecondNetwork>,
    /// The one that predicts; none: the one that is trained.
    pub(crate) predicting: Option<String>,
}

impl std::fmt::Debug for SecondNetworks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|second| &second.name)).finish()
    }
}

impl SecondNetworks {
    /// None yet.
    #[must_use]
    pub fn new(build: BuildNetwork) -> Self {
        Self { build: Some(build), ..Self::default() }
    }

    /// All, in the order in which they were added.
    #[must_use]
    pub fn all(&self) -> &[SecondNetwork] {
        &self.all
    }

    /// The network of a name.
    ///
    /// # Errors
    /// Returns an error if there is none.
    pub fn get(&self, name: &str) -> Result<&SecondNetwork> {
        let found = self.all.iter().find(|second| second.name == name);
        found.ok_or_else(|| Error::message(format!("there is no network `{name}`; add it in on_train_start")))
    }

    /// The parameters of a network, to overwrite them.
    ///
    /// # Errors
    /// Returns an error if there is none of that name.
    pub fn store_mut(&mut self, name: &str) -> Result<&mut ParameterStore> {
        let found = self.all.iter_mut().find(|second| second.name == name);
        let found = found.ok_or_else(|| Error::message(format!("there is no network `{name}`")))?;
        Ok(&mut found.store)
    }

    /// The network that predicts, if it is not the trained one.
    ///
    /// # Errors
    /// Returns an error if it was not added.
    pub fn predicting(&self) -> Result<Option<&SecondNetwork>> {
        self.predicting.as_deref().map(|name| self.get(name)).transpose()
    }

    /// Adds a network with the weights of `like`; does nothing if there is one of that name.
    ///
    /// # Errors
    /// Returns the error of the architecture.
    pub fn add(&mut self, name: &str, like: &ParameterStore) -> Result<()> {
        if name.is_empty() {
            return Err(Error::message("a second network needs a name"));
        }
        if self.get(name).is_ok() {
            return Ok(());
        }
        let build =
            self.build.as_ref().ok_or_else(|| Error::message("no second network can be built here"))?;
        let (mut store, network) = build()?;
        store.freeze()?;
        let from: Vec<Tensor> = like.parameters().iter().map(|p| p.tensor.detach()).collect();
        copy_into(&store, &from)?;
        self.all.push(SecondNetwork { name: name.to_owned(), store, network });
        Ok(())
    }
}

/// Overwrites the parameters of a store.
pub(crate) fn copy_into(store: &ParameterStore, values: &[Tensor]) -> Result<()> {
    for (parameter, value) in store.all_parameters().iter().zip(values) {
        let mut tensor = parameter.tensor.shallow_clone();
        no_grad(|| tensor.f_copy_(value))?;
    }
    Ok(())
}
