//! Pictures.

use nnunet_formats::picture::{read, read_channels, read_geometry, write_image, write_labels};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

inventory::submit!(Registration(|| {
    let functions = BuiltIn {
        read,
        read_geometry,
        write_image,
        write_labels,
        write_wide_labels: None,
        read_channels: Some(read_channels),
        for_each_slice: None,
        read_keeping_nan: None,
    };
    functions.component(
        "Picture",
        "Gray pictures of 8 and 16 bits, as scikit-image reads them; label maps are written with 8.",
        &[".png", ".bmp"],
    )
}));
