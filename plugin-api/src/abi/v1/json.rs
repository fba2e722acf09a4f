//! Structured data crosses as JSON.

use abi_stable::std_types::RString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Text of a value. NaN has no JSON form: types that may hold it read `null` back as NaN, or cross as plain fields.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<RString> {
    serde_json::to_string(value).map(RString::from).map_err(|error| Error::message(error.to_string()))
}

/// Value of a text.
pub(super) fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::message(format!("data across the plugin boundary: {error}")))
}
