//! Overlapping regions that are segmented instead of labels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Regions, one output of the network each. An output is the sigmoid of its logit; background has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// By output.
    pub regions: Vec<Region>,
    /// Label that an output writes into the label map where it exceeds one half; later outputs write over earlier ones.
    pub class_order: Vec<u8>,
}

/// One region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// For people.
    pub name: String,
    /// Labels it consists of.
    pub labels: Vec<u8>,
}
