//! The formats of `nnunet-formats` as components.

use std::path::Path;

use ndarray::{Array4, ArrayView3, Axis};
use nnunet_formats::{Geometry, Image, Result as FileResult};
use nnunet_plugin_core::vocabulary::ItkGeometry;
use nnunet_plugin_core::{Component, Error, ImageFormat, ImageHeader, ImageVolume, Info, Kind, Result};

use super::geometry::{from_itk, to_itk};

/// A format by its functions; those that may be missing have the default of [`ImageFormat`].
#[derive(Clone, Copy)]
pub(super) struct BuiltIn {
    pub(super) read: fn(&Path) -> FileResult<Image>,
    pub(super) read_geometry: fn(&Path) -> FileResult<Geometry>,
    pub(super) write_image: fn(&Path, ArrayView3<'_, f32>, &Geometry) -> FileResult<()>,
    pub(super) write_labels: fn(&Path, ArrayView3<'_, u8>, &Geometry) -> FileResult<()>,
    pub(super) write_wide_labels: Option<WriteWideLabels>,
    pub(super) read_channels: Option<ReadChannels>,
    pub(super) for_each_slice: Option<ForEachSlice>,
    /// For formats that otherwise read 0 where a number is not finite.
    pub(super) read_keeping_nan: Option<fn(&Path) -> FileResult<Image>>,
}

/// Writes labels of 16 bits.
type WriteWideLabels = fn(&Path, ArrayView3<'_, u16>, &Geometry) -> FileResult<()>;

/// All channels of a file.
type ReadChannels = fn(&Path) -> FileResult<Array4<f32>>;

/// Calls a function with the number and the voxels of every slice.
type ForEachSlice = fn(&Path, &mut dyn FnMut(usize, &[f32])) -> FileResult<Geometry>;

impl BuiltIn {
    /// The component, which reads and writes files with these endings.
    pub(super) fn component(self, name: &'static str, summary: &'static str, endings: &[&str]) -> Component {
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
        match self.read_channels {
            Some(read) => read(path).map_err(said),
            None => Ok(self.read(path)?.voxels.insert_axis(Axis(0))),
        }
    }

    fn for_each_slice(&self, path: &Path, body: &mut dyn FnMut(usize, &[f32])) -> Result<ImageHeader> {
        if let Some(for_each) = self.for_each_slice {
            return header(for_each(path, body));
        }
        let image = self.read(path)?;
        image.for_each_slice(body);
        Ok(image.header())
    }

    fn reads_nan_as_zero(&self) -> bool {
        self.read_keeping_nan.is_some()
    }

    fn read_keeping_nan(&self, path: &Path) -> Result<ImageVolume> {
        volume(self.read_keeping_nan.unwrap_or(self.read)(path))
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
        match self.write_wide_labels {
            Some(write) => write(path, labels, &from_itk(labels.dim(), geometry)).map_err(said),
            None => self.write(path, labels.mapv(f32::from).view(), geometry),
        }
    }
}

fn said(error: nnunet_formats::Error) -> Error {
    Error::message(error.to_string())
}
