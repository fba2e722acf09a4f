//! The number format losses are computed in.

use nnunet_plugin_api::tch::{Kind, Tensor};

/// Single precision for half-precision inputs too, double precision for double.
pub(crate) fn precision(tensor: &Tensor) -> Kind {
    if tensor.kind() == Kind::Double { Kind::Double } else { Kind::Float }
}
