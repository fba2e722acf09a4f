//! Components by name, made ready for use.

use anyhow::{Context, Result};
use nnunet_engine::registry::Registry;
use nnunet_plugin_core::vocabulary::{ComponentChoice, Plans};
use nnunet_plugin_core::{Error as ComponentError, Kind, Resampler};
use nnunet_preprocessing::{Normalizations, Resamplers, Resolved, resolve};

use crate::v2::ResamplingPlan;

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

/// A preprocessor by name, with the resampler it names, without normalizations.
///
/// # Errors
/// As [`preprocessor`].
pub fn without_normalizations(registry: &Registry, name: &str) -> Result<Resolved> {
    let mut resolved = resolve(name, &|name| registry.preprocessor(name).map_err(component_error))?;
    if let Some(choice) = resolved.settings.resampler.take() {
        let place = || format!("`resampler` of the preprocessor {name}");
        let (choice, resampler) = resampler(registry, &choice).with_context(place)?;
        (resolved.settings.resampler, resolved.resampler) = (Some(choice), Some(resampler));
    }
    Ok(resolved)
}

/// A resampler, and its choice with all parameters of tables in configuration files.
///
/// # Errors
/// Returns an error for a name or a parameter that is not known, or a component that cannot be made.
pub fn resampler(
    registry: &Registry,
    choice: &ComponentChoice,
) -> Result<(ComponentChoice, Box<dyn Resampler>)> {
    let (_, expanded) = registry.expand(Kind::Resampler, choice)?;
    let made = registry.resampler(&expanded).with_context(|| format!("resampler {}", choice.name))?;
    Ok((expanded, made))
}

/// The resamplers of images and labels: the one that the preprocessor names, or those that the plans of v2 name.
///
/// # Errors
/// As [`resampler`].
pub fn resamplers(
    registry: &Registry,
    preprocessor: &Resolved,
    plans: &ResamplingPlan,
) -> Result<Resamplers> {
    let own = preprocessor.settings.resampler.as_ref();
    let made = |key: &str, planned: ComponentChoice| {
        resampler(registry, own.unwrap_or(&planned)).with_context(|| key.to_owned())
    };
    let (data_choice, data) = made("resampling_fn_data", plans.data())?;
    let (labels_choice, labels) = made("resampling_fn_seg", plans.labels())?;
    Ok(Resamplers { data, labels, choices: [data_choice, labels_choice] })
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
    libraries_of(registry, &plans.preprocessor_name, resolved, None)
}

/// The same for a preprocessor by name.
///
/// # Errors
/// Returns an error if the name is unknown.
pub fn libraries_of(
    registry: &Registry,
    name: &String,
    resolved: &Resolved,
    resamplers: Option<&Resamplers>,
) -> Result<Vec<std::path::PathBuf>> {
    let names = resolved.normalizations.keys().map(|name| (Kind::Normalization, name));
    let planned = resamplers.into_iter().flat_map(|resamplers| &resamplers.choices);
    let resamplers = planned.chain(&resolved.settings.resampler);
    let names = names.chain(resamplers.map(|choice| (Kind::Resampler, &choice.name)));
    let mut all = Vec::new();
    for (kind, name) in names.chain([(Kind::Preprocessor, name)]) {
        let library = registry.find(kind, name)?.origin.library();
        all.extend(library.map(std::path::Path::to_owned).filter(|path| !all.contains(path)));
    }
    Ok(all)
}
