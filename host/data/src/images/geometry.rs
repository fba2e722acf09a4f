//! Geometries of files and of plugins' image formats.

use nnunet_formats::Geometry;
use nnunet_plugin_core::vocabulary::ItkGeometry;

pub(super) fn to_itk(geometry: &Geometry) -> ItkGeometry {
    ItkGeometry { origin: geometry.origin, spacing: geometry.spacing, direction: geometry.direction }
}

pub(super) fn from_itk((z, y, x): (usize, usize, usize), geometry: &ItkGeometry) -> Geometry {
    let ItkGeometry { origin, spacing, direction } = *geometry;
    Geometry { size: [x, y, z], spacing, origin, direction }
}
