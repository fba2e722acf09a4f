//! The data type in which losses are computed.

use nnunet_plugin_api::Result;
use nnunet_plugin_api::tch::{Kind, Tensor};

/// Single precision for half-precision inputs too, double precision for double.
pub(crate) fn precision(tensor: &Tensor) -> Kind {
    if tensor.kind() == Kind::Double { Kind::Double } else { Kind::Float }
}

/// The probabilities of logits along the channel axis.
///
/// # Shapes
/// Unchanged.
pub(crate) fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(widened(logits)?.f_softmax(1, precision(logits))?)
}

/// The logarithms of the probabilities of logits along the channel axis.
///
/// # Shapes
/// Unchanged.
pub(crate) fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(widened(logits)?.f_log_softmax(1, precision(logits))?)
}

/// libtorch's CPU kernels cannot widen float16 in a softmax.
fn widened(logits: &Tensor) -> Result<Tensor> {
    Ok(if logits.kind() == Kind::Half { logits.f_to_kind(Kind::Float)? } else { logits.shallow_clone() })
}
