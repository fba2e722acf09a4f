//! MetaImage. Its component has the name of the ending: `MetaImage` is that of the example plugin.

use nnunet_formats::meta_image::{read, read_geometry, write_image, write_labels, write_wide_labels};
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
    functions.component("MHA", "MetaImages, plain or compressed, as SimpleITK reads them.", &[".mha"])
}));
