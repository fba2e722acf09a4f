//! Series that are written as files and read again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::path::Path;

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use nnunet_dicom::{list, read};

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";

fn numbers(values: &[f64]) -> PrimitiveValue {
    PrimitiveValue::Strs(values.iter().map(ToString::to_string).collect())
}

/// A slice of 2 rows and 3 columns at a height, whose stored values begin with `first`.
fn write(file: &Path, series: &str, z: f64, first: u16) {
    write_with(file, series, z, first, &[]);
}

fn write_with(file: &Path, series: &str, z: f64, first: u16, other: &[(Tag, &[f64])]) {
    write_as(EXPLICIT_LITTLE_ENDIAN, file, series, z, first, other);
}

/// The same, with another transfer syntax, and other values of some elements.
fn write_as(syntax: &str, file: &Path, series: &str, z: f64, first: u16, other: &[(Tag, &[f64])]) {
    let id = format!("1.2.3.{}", file.display().to_string().len() + usize::from(first));
    let pixels: Vec<u16> = (0..6).map(|i| first + i).collect();
    let element = DataElement::new;
    let mut object = InMemDicomObject::from_element_iter([
        element(tags::SOP_CLASS_UID, VR::UI, PrimitiveValue::from(CT)),
        element(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from(id.as_str())),
        element(tags::SERIES_INSTANCE_UID, VR::UI, PrimitiveValue::from(series)),
        element(tags::MODALITY, VR::CS, PrimitiveValue::from("CT")),
        element(tags::SERIES_DESCRIPTION, VR::LO, PrimitiveValue::from("thorax")),
        element(tags::IMAGE_POSITION_PATIENT, VR::DS, numbers(&[-5.0, 7.0, z])),
        element(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, numbers(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])),
        element(tags::PIXEL_SPACING, VR::DS, numbers(&[0.5, 0.75])),
        element(tags::SAMPLES_PER_PIXEL, VR::US, PrimitiveValue::from(1_u16)),
        element(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, PrimitiveValue::from("MONOCHROME2")),
        element(tags::ROWS, VR::US, PrimitiveValue::from(2_u16)),
        element(tags::COLUMNS, VR::US, PrimitiveValue::from(3_u16)),
        element(tags::BITS_ALLOCATED, VR::US, PrimitiveValue::from(16_u16)),
        element(tags::BITS_STORED, VR::US, PrimitiveValue::from(16_u16)),
        element(tags::HIGH_BIT, VR::US, PrimitiveValue::from(15_u16)),
        element(tags::PIXEL_REPRESENTATION, VR::US, PrimitiveValue::from(0_u16)),
        element(tags::RESCALE_INTERCEPT, VR::DS, numbers(&[-1024.0])),
        element(tags::RESCALE_SLOPE, VR::DS, numbers(&[2.0])),
        element(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(pixels.into())),
    ]);
    for (tag, values) in other {
        object.put(element(*tag, VR::DS, numbers(values)));
    }
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(syntax)
        .media_storage_sop_class_uid(CT)
        .media_storage_sop_instance_uid(id);
    object.with_meta(meta).unwrap().write_to_file(file).unwrap();
}

#[test]
fn slices_are_read_in_the_order_of_their_positions_with_their_rescale() {
    let folder = tempfile::tempdir().unwrap();
    for (name, z, first) in [("a.dcm", 6.0, 300), ("b", 0.0, 100), ("c.dcm", 3.0, 200)] {
        write(&folder.path().join(name), "1.2.3", z, first);
    }
    std::fs::write(folder.path().join("notes.txt"), "no image").unwrap();
    let series = list(folder.path()).unwrap();
    let [one] = &series[..] else { panic!("one series: {series:?}") };
    assert_eq!((one.name.as_str(), one.modality.as_str(), one.files.len()), ("thorax", "CT", 3));
    let volume = read(one).unwrap();
    assert_eq!(volume.geometry.spacing, [0.75, 0.5, 3.0]);
    assert_eq!(volume.geometry.origin, [-5.0, 7.0, 0.0]);
    let firsts: Vec<f32> = (0..3).map(|z| volume.data[[z, 0, 0]]).collect();
    assert_eq!(firsts, [2.0 * 100.0 - 1024.0, 2.0 * 200.0 - 1024.0, 2.0 * 300.0 - 1024.0]);
    assert_eq!(volume.data[[0, 1, 2]], 2.0 * 105.0 - 1024.0);
}

#[test]
fn two_series_of_a_folder_are_two_volumes_and_a_missing_slice_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (series, shift) in [("1.2.3", 0.0), ("1.2.4", 0.5)] {
        for z in [0.0, 3.0, 6.0, 9.0] {
            write(&folder.path().join(format!("{series}_{z}")), series, z + shift, 0);
        }
    }
    assert_eq!(list(folder.path()).unwrap().len(), 2);
    std::fs::remove_file(folder.path().join("1.2.4_3")).unwrap();
    let all = list(folder.path()).unwrap();
    assert!(all[0].geometry.is_ok());
    let error = read(&all[1]).unwrap_err().to_string();
    assert!(
        error.contains("series \"thorax\"") && error.contains("1 missing between 0.5 and 6.5 mm"),
        "{error}"
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(list(empty.path()).unwrap_err().to_string().contains("no DICOM images"));
}

#[test]
fn impossible_headers_are_refused_with_the_file() {
    let cases: [(Tag, &[f64], &str); 5] = [
        (tags::PIXEL_SPACING, &[0.0, 0.0], "PixelSpacing is 0"),
        (tags::PIXEL_SPACING, &[0.5, -0.5], "PixelSpacing is 0.5"),
        (tags::RESCALE_SLOPE, &[0.0], "RescaleSlope is 0"),
        (tags::IMAGE_ORIENTATION_PATIENT, &[0.0; 6], "right angles"),
        (tags::IMAGE_ORIENTATION_PATIENT, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], "right angles"),
    ];
    for (tag, values, reason) in cases {
        let folder = tempfile::tempdir().unwrap();
        for z in [0.0, 3.0] {
            write_with(&folder.path().join(format!("{z}.dcm")), "1.2.3", z, 0, &[(tag, values)]);
        }
        let error = read(&list(folder.path()).unwrap()[0]).unwrap_err().to_string();
        assert!(error.contains("0.dcm") && error.contains(reason), "{error}");
    }
}

#[test]
fn deflated_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (z, first) in [(0.0, 100), (3.0, 200)] {
        let file = folder.path().join(format!("{z}.dcm"));
        write_as("1.2.840.10008.1.2.1.99", &file, "1.2.3", z, first, &[]);
    }
    let volume = read(&list(folder.path()).unwrap()[0]).unwrap();
    assert_eq!(volume.data[[1, 1, 2]], 2.0 * 205.0 - 1024.0);
}
