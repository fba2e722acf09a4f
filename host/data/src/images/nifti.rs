//! NIfTI.

use std::path::Path;

use nnunet_formats::nifti::{
    for_each_slice, read, read_geometry, read_keeping_nan, write_image, write_labels,
};
use nnunet_formats::{Geometry, Result as FileResult};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

inventory::submit!(Registration(|| {
    let functions = BuiltIn {
        read,
        read_geometry,
        write_image,
        write_labels,
        read_channels: None,
        for_each_slice: Some(slices),
        read_keeping_nan: Some(read_keeping_nan),
    };
    functions.component(
        "NIfTI",
        "NIfTI-1 images, in one file, plain or gzipped, or in two files, as SimpleITK reads them.",
        &[".nii.gz", ".nii", ".hdr", ".img"],
    )
}));

/// One slice is in memory at a time.
fn slices(path: &Path, body: &mut dyn FnMut(usize, &[f32])) -> FileResult<Geometry> {
    for_each_slice(path, body)
}
