//! Pictures.

pub(super) use nnunet_formats::picture::read_channels;
use nnunet_formats::picture::{read, read_geometry, write_image, write_labels};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

/// Endings of files that may have several channels.
pub(super) const WITH_CHANNELS: [&str; 4] = [".png", ".bmp", ".tif", ".tiff"];

inventory::submit!(Registration(|| {
    let functions = BuiltIn { read, read_geometry, write_image, write_labels };
    functions.component(
        "Picture",
        "Gray pictures of 8 and 16 bits, as scikit-image reads them; label maps are written with 8.",
        &[".png", ".bmp"],
    )
}));
