//! Components of the host's registry, in a plugin's image and in the host's own.

use std::sync::OnceLock;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

use super::AbiResult;
use super::created::Created;
use super::guard::from_abi;
use super::host::services;
use super::import::{another_kind, label_of_host};
use super::json;
use super::later::Opened;
use crate::{Config, Error, Kind, Result};

/// Makes a component by kind, name and parameters (JSON object).
type CreateComponent = extern "C" fn(kind: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created>;

/// In the host's image, which has no services: what makes its components.
static OWN: OnceLock<CreateComponent> = OnceLock::new();

/// In the host's image: from now on built-in components can be made of registered ones.
pub fn offer_components(create: CreateComponent) {
    let _ = OWN.set(create);
}

/// Makes a component of the host's registry.
///
/// # Errors
/// Returns an error without a host, from a host before ABI 1.3, for an unknown name, or the error of the factory.
pub fn create_in_host(kind: Kind, name: &str, config: &Config) -> Result<Created> {
    let create = match services() {
        Some(services) => services.create().ok_or_else(|| {
            Error::message(format!(
                "{kind} `{name}`: this version of nnunet gives plugins no components; update it"
            ))
        })?,
        None => OWN.get().copied().ok_or_else(|| {
            Error::message(format!(
                "{kind} `{name}`: components of the host are there in a plugin that nnunet has loaded"
            ))
        })?,
    };
    let config = json::encode(config)?;
    from_abi(create(RStr::from(kind.as_str()), RStr::from(name), config.as_rstr()))
}

/// The object of a component of the host's registry, of a kind that came after ABI 1.0, and how errors name it.
///
/// # Errors
/// As [`create_in_host`], and an error if the component is of another kind.
pub fn later_in_host<T>(kind: Kind, name: &str, config: &Config) -> Result<(Opened<T>, String)>
where
    T: StableAbi + Send + 'static,
{
    let label = label_of_host(kind, name);
    let object = match create_in_host(kind, name, config).map_err(|error| error.within(&label))? {
        Created::Later(object) => object.open(),
        _ => None,
    };
    Ok((object.ok_or_else(|| another_kind(&label))?, label))
}

#[cfg(test)]
mod tests {
    use super::super::adapter::{contain, create as create_from};
    use super::*;
    use crate::{AugmentationContext, Component, Info, RandomStream, Sample, Transform, host};

    struct Inverted;

    impl Transform for Inverted {
        fn apply(&self, mut sample: Sample, _: &AugmentationContext, _: &mut RandomStream) -> Result<Sample> {
            sample.data.mapv_inplace(|value| -value);
            Ok(sample)
        }
    }

    /// A registry of one transform, which it gives for any kind.
    extern "C" fn create(_: RStr<'_>, name: RStr<'_>, config: RStr<'_>) -> AbiResult<Created> {
        contain(|| {
            if name.as_str() != "Inverted" {
                return Err(Error::message(format!("there is no `{name}`")));
            }
            let info = Info::new(Kind::Transform, "Inverted", "Intensities of opposite sign.");
            let component = Component::transform(info, |_| Ok(Box::new(Inverted)));
            create_from(&component.factory, &json::decode(config.as_str())?)
        })
    }

    #[test]
    fn components_of_the_host_are_of_the_kind_that_is_asked_for() {
        let config = Config::new();
        let message = |error: Option<Error>| error.unwrap().to_string();
        let without = message(host::transform("Inverted", &config).err());
        assert!(without.contains("are there in a plugin that nnunet has loaded"), "{without}");
        offer_components(create);
        let array = ndarray::Array4::ones((1, 1, 2, 2));
        let sample = Sample { data: array.clone(), seg: array };
        let context = AugmentationContext { patch: vec![2, 2], ..AugmentationContext::default() };
        let inverted = host::transform("Inverted", &config).unwrap();
        let made = inverted.apply(sample, &context, &mut RandomStream::from_seed(1)).unwrap();
        assert!(made.data.iter().all(|value| *value == -1.0));
        let unknown = message(host::transform("Other", &config).err());
        assert_eq!(unknown, "transform Other of the host: there is no `Other`");
        let kind = "the plugin made another kind of component";
        assert_eq!(
            message(host::sampler("Inverted", &config).err()),
            format!("sampler Inverted of the host: {kind}")
        );
        let old = message(host::augmentation("Inverted", &config).err());
        assert_eq!(old, format!("augmentation Inverted of the host: {kind}"));
    }
}
