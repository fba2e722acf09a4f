//! Region-based training: overlapping regions instead of labels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Regions of labels (v1: `regions`). The network has one output with a sigmoid for each region, and none for the
/// background.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// The regions, in the order of the network's outputs.
    pub regions: Vec<Region>,
    /// For each output, the label that is written where its probability exceeds 0.5; later outputs overwrite earlier
    /// ones (v1: `regions_class_order`).
    pub class_order: Vec<u8>,
}

/// A region: the union of labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Human-readable name.
    pub name: String,
    /// Labels of the region.
    pub labels: Vec<u8>,
}
