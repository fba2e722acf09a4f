//! The formats of `nnunet-formats` as components.

use std::path::Path;

use ndarray::ArrayView3;
use nnunet_formats::{Geometry, Image, Result as FileResult};
use nnunet_plugin_core::vocabulary::ItkGeometry;
use nnunet_plugin_core::{Component, Error, ImageFormat, ImageHeader, ImageVolume, Info, Kind, Result};

use super::geometry::{from_itk, to_itk};

/// A format by its functions.
#[derive(Clone, Copy)]
pub(super) struct BuiltIn {
    pub(super) read: fn(&Path) -> FileResult<Image>,
    pub(super) read_geometry: fn(&Path) -> FileResult<Geometry>,
    pub(super) write_image: fn(&Path, ArrayView3<'_, f32>, &Geometry) -> FileResult<()>,
    pub(super) write_labels: fn(&Path, ArrayView3<'_, u8>, &Geometry) -> FileResult<()>,
}

impl BuiltIn {
    /// The component, which reads and writes files with these endings.
    pub(super) fn component(self, name: &'static str, summary: &'static str, endings: &[&str]) -> Component {
        let info = Info::new(Kind::Format, name, summary);
        let info = endings.iter().fold(info, |info, ending| info.reads(ending).writes(ending));
        Component::format(info, move |_| Ok(Box::new(self)))
    }
}

impl ImageFormat for BuiltIn {
    fn read(&self, path: &Path) -> Result<ImageVolume> {
        let image = (self.read)(path).map_err(said)?;
        Ok(ImageVolume { voxels: image.data, geometry: to_itk(&image.geometry) })
    }

    fn read_header(&self, path: &Path) -> Result<ImageHeader> {
        let geometry = (self.read_geometry)(path).map_err(said)?;
        Ok(ImageHeader { size: geometry.size_zyx(), geometry: to_itk(&geometry) })
    }

    fn write(&self, path: &Path, voxels: ArrayView3<'_, f32>, geometry: &ItkGeometry) -> Result<()> {
        (self.write_image)(path, voxels, &from_itk(voxels.dim(), geometry)).map_err(said)
    }

    fn write_labels(&self, path: &Path, labels: ArrayView3<'_, u8>, geometry: &ItkGeometry) -> Result<()> {
        (self.write_labels)(path, labels, &from_itk(labels.dim(), geometry)).map_err(said)
    }
}

fn said(error: nnunet_formats::Error) -> Error {
    Error::message(error.to_string())
}
