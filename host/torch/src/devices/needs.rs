//! How much of a GPU's memory a network takes, found by running it on a tile.

use anyhow::Result;
use nnunet_inference::{SlidingWindow, is_out_of_memory, try_tile};
use nnunet_plugin_api::Network;
use nnunet_plugin_api::tch::Device;
use nnunet_torch_ops::device_memory;

use crate::predict::Needs;

/// Share of the device's memory that is planned with: pieces that are too small for anything are lost.
const USABLE: f64 = 0.9;

/// What a network needs on its GPU, and how many bytes there are for it. If a tile does not fit, `estimate` is taken for its
/// need.
///
/// # Errors
/// Returns an error if the network fails for another reason than memory.
pub(crate) fn needs(
    network: &dyn Network,
    channels: usize,
    window: &SlidingWindow,
    estimate: u64,
) -> Result<(Needs, u64)> {
    let Device::Cuda(index) = window.device else { return Ok((Needs { base: 0, tile: 0 }, u64::MAX)) };
    let before = device_memory(index, true)?;
    let available = before.allocated + (before.free as f64 * USABLE) as u64;
    let tile = match try_tile(network, channels, window) {
        Ok(()) => device_memory(index, false)?.peak.saturating_sub(before.allocated),
        Err(error) if is_out_of_memory(&error) => before.free.max(estimate),
        Err(error) => return Err(error.into()),
    };
    Ok((Needs { base: before.allocated, tile }, available))
}
