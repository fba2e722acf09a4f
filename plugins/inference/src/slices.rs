//! A 2D network on a volume: slice by slice, each tiled on its own.

use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::{Network, Result};

use crate::band::Bands;
use crate::window::{Sink, SlidingWindow};

/// Slices handed on together, unless memory is short.
const SLICES: usize = 16;

pub(crate) fn run(
    network: &dyn Network,
    image: &Tensor,
    how: &SlidingWindow,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let slices = image.size()[1] as usize;
    let together = how.rows.min(SLICES);
    // Inside a slice the rows are put together again.
    let whole = SlidingWindow { rows: usize::MAX, ..how.clone() };
    for first in (0..slices).step_by(together) {
        let group = (first..slices.min(first + together)).map(|z| slice(network, image, z, &whole));
        sink(first, Tensor::f_stack(&group.collect::<Result<Vec<_>>>()?, 1)?)?;
    }
    Ok(())
}

/// (classes, y, x) of one slice.
fn slice(network: &dyn Network, image: &Tensor, z: usize, how: &SlidingWindow) -> Result<Tensor> {
    let mut parts = Vec::new();
    Bands::new(&image.f_select(1, z as i64)?, how)?.run(network, &mut |_, rows| {
        parts.push(rows);
        Ok(())
    })?;
    Ok(Tensor::f_cat(&parts, 1)?)
}
