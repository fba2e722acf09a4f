//! NIfTI.

pub(super) use nnunet_formats::nifti::{for_each_slice, read_keeping_nan, write_labels};
use nnunet_formats::nifti::{read, read_geometry, write_image};
use nnunet_plugin_core::{Registration, inventory};

use super::built_in::BuiltIn;

/// Endings of its files.
pub(super) const ENDINGS: [&str; 2] = [".nii.gz", ".nii"];

inventory::submit!(Registration(|| {
    let functions = BuiltIn { read, read_geometry, write_image, write_labels };
    functions.component("NIfTI", "NIfTI-1 images, plain or gzipped, as SimpleITK reads them.", &ENDINGS)
}));
