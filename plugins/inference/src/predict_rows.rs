//! The sliding window of one or several networks over an image.

use nnunet_plugin_api::tch::{Kind, Tensor};
use nnunet_plugin_api::{Error, Network, Result};

use crate::band::Bands;
use crate::slices;
use crate::window::{Sink, SlidingWindow};

/// Mean scores of several networks, handed to `sink` as they become final: rows of the first axis, in order.
///
/// # Shapes
/// `image` is (channels, z, y, x). A 2D network sees slice by slice.
///
/// # Errors
/// Returns an error if there is no network or if the step is outside of (0, 1], or the error of a network or of the
/// sink.
pub fn predict_rows(
    networks: &[&dyn Network],
    image: &Tensor,
    how: &SlidingWindow,
    sink: &mut Sink<'_>,
) -> Result<()> {
    if !(how.step > 0.0 && how.step <= 1.0) {
        return Err(Error::parameter("step_size", "must be larger than 0 and at most 1"));
    }
    match networks {
        [] => Err(Error::message("the model has no network")),
        [network] => of_network(*network, image, how, sink),
        networks => mean_of(networks, image, how, sink),
    }
}

fn mean_of(
    networks: &[&dyn Network],
    image: &Tensor,
    how: &SlidingWindow,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let mut shape = image.size();
    shape[0] = how.num_classes as i64;
    let sum = how.folds.zeros(&shape, how.scores.kind())?;
    let rounded = |scores: Tensor| -> Result<Tensor> {
        let half = |scores: &Tensor| scores.f_to_kind(Kind::Half)?.f_to_kind(scores.kind());
        Ok(if how.folds_in_half { half(&scores)? } else { scores })
    };
    for (i, network) in networks.iter().enumerate() {
        let is_last = i + 1 == networks.len();
        of_network(*network, image, how, &mut |first, rows| {
            let mut here = sum.f_narrow(1, first as i64, rows.size()[1])?;
            let _ = here.f_add_(&rounded(rows)?.f_to_device(sum.device())?)?;
            if is_last { sink(first, rounded(here.f_div_scalar(networks.len() as f64)?)?) } else { Ok(()) }
        })?;
    }
    Ok(())
}

fn of_network(network: &dyn Network, image: &Tensor, how: &SlidingWindow, sink: &mut Sink<'_>) -> Result<()> {
    if how.patch.len() == 3 {
        return Bands::new(image, how)?.run(network, sink);
    }
    slices::run(network, image, how, sink)
}
