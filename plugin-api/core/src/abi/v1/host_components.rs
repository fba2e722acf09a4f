//! Components of the host's registry, in a plugin's image and in the host's own.

use std::sync::OnceLock;

use abi_stable::std_types::RStr;

use super::AbiResult;
use super::created::Created;
use super::guard::from_abi;
use super::host::services;
use super::json;
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
