//! The formats of `nnunet-formats` as components.

use std::path::Path;

use ndarray::{Array4, ArrayView3, Axis};
use nnunet_formats::{Geometry, Image, Result as FileResult, meta_image, nifti, nrrd, picture, tiff};
use nnunet_plugin_core::vocabulary::ItkGeometry;
use nnunet_plugin_core::{
    Component, Error, ImageFormat, ImageHeader, ImageVolume, Info, Kind, Registration, Result, inventory,
};

use super::geometry::{from_itk, to_itk};

macro_rules! formats {
    ($($module:ident, $name:literal, $summary:literal, $endings:expr, { $($optional:ident: $function:expr),* };)*) => {
        $(inventory::submit!(Registration(|| {
            use nnunet_formats::$module::{read, read_geometry, write_image, write_labels};
            let optional = Optional { $($optional: Some($function),)* ..Optional::default() };
            BuiltIn { read, read_geometry, write_image, write_labels, optional }
                .component($name, $summary, &$endings)
        }));)*
    };
}

formats! {
    nifti, "NIfTI", "NIfTI-1 images, in one file, plain or gzipped, or in two files, as SimpleITK reads them.",
        [".nii.gz", ".nii", ".hdr", ".img"],
        { for_each_slice: |path, body| nifti::for_each_slice(path, body), read_keeping_nan: nifti::read_keeping_nan,
          write_wide_labels: nifti::write_wide_labels };
    // Named by its ending: `MetaImage` is the format of the example plugin.
    meta_image, "MHA", "MetaImages, plain or compressed, as SimpleITK reads them.", [".mha"],
        { write_wide_labels: meta_image::write_wide_labels };
    nrrd, "NRRD", "NRRD images with an attached header, raw or gzipped, as SimpleITK reads them.", [".nrrd"],
        { write_wide_labels: nrrd::write_wide_labels };
    tiff, "TIFF", "TIFF stacks, with the spacing in a .json file beside them, and gray TIFF pictures.",
        [".tif", ".tiff"],
        { read_channels: picture::read_channels, write_wide_labels: tiff::write_wide_labels };
    picture, "Picture",
        "Gray pictures of 8 and 16 bits, as scikit-image reads them; label maps are written with 8.",
        [".png", ".bmp"], { read_channels: picture::read_channels };
}

/// A format by its functions. Where an optional one is missing, the default of [`ImageFormat`] is used.
#[derive(Clone, Copy)]
struct BuiltIn {
    read: fn(&Path) -> FileResult<Image>,
    read_geometry: fn(&Path) -> FileResult<Geometry>,
    write_image: fn(&Path, ArrayView3<'_, f32>, &Geometry) -> FileResult<()>,
    write_labels: fn(&Path, ArrayView3<'_, u8>, &Geometry) -> FileResult<()>,
    optional: Optional,
}

/// Functions that a format may lack.
#[derive(Clone, Copy, Default)]
struct Optional {
    /// For models of v2 with more labels than 8 bits hold.
    write_wide_labels: Option<WriteWideLabels>,
    read_channels: Option<ReadChannels>,
    for_each_slice: Option<ForEachSlice>,
    /// For formats that otherwise read 0 where a number is not finite.
    read_keeping_nan: Option<fn(&Path) -> FileResult<Image>>,
}

/// Writes labels of 16 bits.
type WriteWideLabels = fn(&Path, ArrayView3<'_, u16>, &Geometry) -> FileResult<()>;

/// All channels of a file.
type ReadChannels = fn(&Path) -> FileResult<Array4<f32>>;

/// Calls a function with the number and the voxels of every slice.
type ForEachSlice = fn(&Path, &mut dyn FnMut(usize, &[f32])) -> FileResult<Geometry>;

impl BuiltIn {
    /// The component, which reads and writes files with these endings.
    fn component(self, name: &'static str, summary: &'static str, endings: &[&str]) -> Component {
        let info = Info::new(Kind::Format, name, summary);
        let info = endings.iter().fold(info, |info, ending| info.reads(ending).writes(ending));
        Component::format(info, move |_| Ok(Box::new(self)))
    }
}

fn volume(image: FileResult<Image>) -> Result<ImageVolume> {
    let image = image.map_err(said)?;
    Ok(ImageVolume { voxels: image.data, geometry: to_itk(&image.geometry) })
}

fn header(geometry: FileResult<Geometry>) -> Result<ImageHeader> {
    let geometry = geometry.map_err(said)?;
    Ok(ImageHeader { size: geometry.size_zyx(), geometry: to_itk(&geometry) })
}

impl ImageFormat for BuiltIn {
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        volume((self.read)(path))
    }

    fn read_channels(&self, path: &Path) -> Result<Array4<f32>> {
        match self.optional.read_channels {
            Some(read) => read(path).map_err(said),
            None => Ok(self.read(path)?.voxels.insert_axis(Axis(0))),
        }
    }

    fn for_each_slice(&self, path: &Path, body: &mut dyn FnMut(usize, &[f32])) -> Result<ImageHeader> {
        if let Some(for_each) = self.optional.for_each_slice {
            return header(for_each(path, body));
        }
        let image = self.read(path)?;
        image.for_each_slice(body);
        Ok(image.header())
    }

    fn reads_nan_as_zero(&self) -> bool {
        self.optional.read_keeping_nan.is_some()
    }

    fn read_keeping_nan(&self, path: &Path) -> Result<ImageVolume> {
        volume(self.optional.read_keeping_nan.unwrap_or(self.read)(path))
    }

    fn read_header(&self, path: &Path) -> Result<ImageHeader> {
        header((self.read_geometry)(path))
    }

    fn write(&self, path: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        (self.write_image)(path, voxels, &from_itk(voxels.dim(), geometry)).map_err(said)
    }

    fn write_labels(&self, path: &Path, labels: ArrayView3<'_, u8>, geometry: &ItkGeometry) -> Result<()> {
        (self.write_labels)(path, labels, &from_itk(labels.dim(), geometry)).map_err(said)
    }

    fn write_wide_labels(
        &self,
        path: &Path,
        labels: ArrayView3<'_, u16>,
        geometry: &ItkGeometry,
    ) -> Result<()> {
        match self.optional.write_wide_labels {
            Some(write) => write(path, labels, &from_itk(labels.dim(), geometry)).map_err(said),
            None => self.write(path, labels.mapv(f32::from).view(), geometry),
        }
    }
}

fn said(error: nnunet_formats::Error) -> Error {
    Error::message(error.to_string())
}
