//! TIFF.

use nnunet_formats::picture::read_channels;
use nnunet_formats::tiff::{read, read_geometry, write_image, write_labels, write_wide_labels};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

inventory::submit!(Registration(|| {
    let functions = BuiltIn {
        read,
        read_geometry,
        write_image,
        write_labels,
        write_wide_labels: Some(write_wide_labels),
        read_channels: Some(read_channels),
        for_each_slice: None,
        read_keeping_nan: None,
    };
    functions.component(
        "TIFF",
        "TIFF stacks, with the spacing in a .json file beside them, and gray TIFF pictures.",
        &[".tif", ".tiff"],
    )
}));
