//! Writes a volume as a series, for examples and tests.

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use crate::slice::failed;
use crate::{Result, Volume};

/// Storage of CT images.
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Beginning of identifiers that need not be registered.
const UNREGISTERED: &str = "2.25";
/// Stored values are larger than the voxels by this, as CT scanners store them.
const OFFSET: f32 = 1024.0;

/// The texts of a series.
#[derive(Debug, Clone)]
pub struct Header {
    /// Name of the patient.
    pub patient: String,
    /// Description of the series.
    pub series: String,
    /// What took the images: `CT`, `MR` and so on.
    pub modality: String,
    /// A number that no other series of the example has.
    pub number: u64,
}

/// Writes a file for each slice, `slice_000.dcm` and so on; voxels are rounded to whole numbers.
///
/// # Errors
/// Returns an error if a file cannot be written.
pub fn write(folder: &Path, volume: &Volume, header: &Header) -> Result<()> {
    for z in 0..volume.geometry.size[2] {
        let path = folder.join(format!("slice_{z:03}.dcm"));
        let object = object(volume, z, header);
        let id = instance(header, z);
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax(EXPLICIT_LITTLE_ENDIAN)
            .media_storage_sop_class_uid(CT)
            .media_storage_sop_instance_uid(id);
        let file = object.with_meta(meta).map_err(|error| failed(&path, error.to_string()))?;
        file.write_to_file(&path).map_err(|error| failed(&path, error.to_string()))?;
    }
    Ok(())
}

fn instance(header: &Header, z: usize) -> String {
    format!("{UNREGISTERED}.{}.{}", header.number, z + 1)
}

fn object(volume: &Volume, z: usize, header: &Header) -> InMemDicomObject {
    let geometry = &volume.geometry;
    let [columns, rows, _] = geometry.size;
    let axis = |axis: usize| [0, 1, 2].map(|world| geometry.direction[3 * world + axis]);
    let along = axis(2).map(|cosine| cosine * geometry.spacing[2] * z as f64);
    let position = [0, 1, 2].map(|world| geometry.origin[world] + along[world]);
    let text = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let decimals = |tag, values: &[f64]| {
        let values = values.iter().map(ToString::to_string).collect();
        DataElement::new(tag, VR::DS, PrimitiveValue::Strs(values))
    };
    let slice = volume.data.index_axis(ndarray::Axis(0), z);
    let stored: Vec<u16> = slice.iter().map(|voxel| (voxel.round() + OFFSET) as u16).collect();
    InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, CT),
        text(tags::SOP_INSTANCE_UID, VR::UI, &instance(header, z)),
        text(tags::MODALITY, VR::CS, &header.modality),
        text(tags::SERIES_DESCRIPTION, VR::LO, &header.series),
        text(tags::PATIENT_NAME, VR::PN, &header.patient),
        text(tags::SERIES_INSTANCE_UID, VR::UI, &format!("{UNREGISTERED}.{}", header.number)),
        decimals(tags::IMAGE_POSITION_PATIENT, &position),
        decimals(tags::IMAGE_ORIENTATION_PATIENT, &[axis(0), axis(1)].concat()),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        number(tags::ROWS, rows as u16),
        number(tags::COLUMNS, columns as u16),
        decimals(tags::PIXEL_SPACING, &[geometry.spacing[1], geometry.spacing[0]]),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 16),
        number(tags::HIGH_BIT, 15),
        number(tags::PIXEL_REPRESENTATION, 0),
        decimals(tags::RESCALE_INTERCEPT, &[f64::from(-OFFSET)]),
        decimals(tags::RESCALE_SLOPE, &[1.0]),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.into())),
    ])
}
