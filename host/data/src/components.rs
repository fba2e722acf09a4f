//! Components by name, made ready for use.

use anyhow::{Context, Result};
use nnunet_engine::registry::Registry;
use nnunet_plugin_core::vocabulary::Plans;
use nnunet_plugin_core::{Error as ComponentError, Kind};
use nnunet_preprocessing::{Normalizations, Resolved, resolve};

/// A planner by name.
///
/// # Errors
/// Returns an error for a name that is not known, or a component that cannot be made.
pub fn planner(registry: &Registry, name: &str) -> Result<nnunet_planning::Resolved> {
    let lookup = |name: &str| registry.planner(name).map_err(component_error);
    nnunet_planning::resolve(name, &lookup).with_context(|| format!("planner {name}"))
}

fn component_error(error: anyhow::Error) -> ComponentError {
    ComponentError::message(format!("{error:#}"))
}

/// The preprocessor and the normalizations that plans name.
///
/// # Errors
/// Returns an error for a name that is not known, or a component that cannot be made.
pub fn preprocessor(registry: &Registry, plans: &Plans) -> Result<Resolved> {
    preprocessor_of(registry, &plans.preprocessor_name, &plans.normalization_schemes)
}

/// A preprocessor by name, and the normalizations of the channels.
///
/// # Errors
/// As [`preprocessor`].
pub fn preprocessor_of(registry: &Registry, name: &str, schemes: &[String]) -> Result<Resolved> {
    let mut resolved = without_normalizations(registry, name)?;
    let names = resolved.settings.normalization_names(schemes);
    resolved.normalizations = normalizations(registry, &names)?;
    Ok(resolved)
}

/// A preprocessor by name, without normalizations.
///
/// # Errors
/// As [`preprocessor`].
pub fn without_normalizations(registry: &Registry, name: &str) -> Result<Resolved> {
    Ok(resolve(name, &|name| registry.preprocessor(name).map_err(component_error))?)
}

/// The normalizations that plans name, of v1 or v2.
///
/// # Errors
/// Returns an error if a name is not known, or a component cannot be made.
pub fn normalizations(registry: &Registry, names: &[String]) -> Result<Normalizations> {
    let lookup = |name: &str| registry.normalization(name).map_err(component_error);
    nnunet_preprocessing::normalizations(names, &lookup).context("the plans' normalization_schemes")
}

/// Shared libraries that the preprocessor and the normalizations of plans come from.
///
/// # Errors
/// Returns an error for a name that is not known.
pub fn preprocessing_libraries(
    registry: &Registry,
    plans: &Plans,
    resolved: &Resolved,
) -> Result<Vec<std::path::PathBuf>> {
    libraries_of(registry, &plans.preprocessor_name, resolved)
}

/// The same for a preprocessor by name.
///
/// # Errors
/// Returns an error if the name is unknown.
pub fn libraries_of(
    registry: &Registry,
    name: &String,
    resolved: &Resolved,
) -> Result<Vec<std::path::PathBuf>> {
    let names = resolved.normalizations.keys().map(|name| (Kind::Normalization, name));
    let mut all = Vec::new();
    for (kind, name) in names.chain([(Kind::Preprocessor, name)]) {
        let library = registry.find(kind, name)?.origin.library();
        all.extend(library.map(std::path::Path::to_owned).filter(|path| !all.contains(path)));
    }
    Ok(all)
}
