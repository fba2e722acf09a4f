//! NRRD.

use nnunet_formats::nrrd::{read, read_geometry, write_image, write_labels, write_wide_labels};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

inventory::submit!(Registration(|| {
    let functions = BuiltIn {
        read,
        read_geometry,
        write_image,
        write_labels,
        write_wide_labels: Some(write_wide_labels),
        read_channels: None,
        for_each_slice: None,
        read_keeping_nan: None,
    };
    functions.component(
        "NRRD",
        "NRRD images with an attached header, raw or gzipped, as SimpleITK reads them.",
        &[".nrrd"],
    )
}));
