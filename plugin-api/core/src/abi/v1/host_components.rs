//! Components of the host's registry, in a plugin's image.

use abi_stable::std_types::RStr;

use super::created::Created;
use super::guard::from_abi;
use super::host::services;
use super::json;
use crate::{Config, Error, Kind, Result};

/// Makes a component of the host's registry, in a plugin's image.
///
/// # Errors
/// Returns an error without a host, from a host before ABI 1.3, for an unknown name, or the error of the factory.
pub fn create_in_host(kind: Kind, name: &str, config: &Config) -> Result<Created> {
    let services = services().ok_or_else(|| {
        Error::message(format!(
            "{kind} `{name}`: components of the host are there in a plugin that nnunet has loaded"
        ))
    })?;
    let create = services.create().ok_or_else(|| {
        Error::message(format!(
            "{kind} `{name}`: this version of nnunet gives plugins no components; update it"
        ))
    })?;
    let config = json::encode(config)?;
    from_abi(create(RStr::from(kind.as_str()), RStr::from(name), config.as_rstr()))
}
