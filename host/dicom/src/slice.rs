//! The header of a file of a series.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};

use crate::{Error, Result};

/// Directions whose lengths and angles differ from what they should be by less are rounded.
const DIRECTIONS: f64 = 0.01;

/// The header of a slice.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub(crate) file: PathBuf,
    /// Identifies the series.
    pub(crate) series: String,
    /// Description of the series, or its number.
    pub(crate) name: String,
    pub(crate) number: Option<String>,
    /// What took the image.
    pub(crate) modality: String,
    /// Where it lies, or why that is not known.
    pub(crate) place: Result<Place>,
}

/// Where a slice lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    /// Rows and columns.
    pub(crate) size: [usize; 2],
    /// Between rows and between columns, mm.
    pub(crate) spacing: [f64; 2],
    /// World position of the first voxel.
    pub(crate) position: [f64; 3],
    /// Direction along a row, and then along a column.
    pub(crate) orientation: [f64; 6],
    /// Whether the file says what its stored values mean.
    pub(crate) is_rescaled: bool,
    /// Thickness of the slice, mm.
    pub(crate) thickness: Option<f64>,
    /// Between this slice and its neighbors when they were taken, mm.
    pub(crate) between: Option<f64>,
}

/// Whether a file begins as DICOM files do.
#[must_use]
pub fn is_dicom(file: &Path) -> bool {
    let mut start = [0; 132];
    File::open(file).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start[128..] == b"DICM"
}

/// Reads the header of an image; none for a file without one, such as a report.
pub(crate) fn read(file: &Path) -> Result<Option<Slice>> {
    let object = OpenFileOptions::new().read_until(tags::PIXEL_DATA).open_file(file);
    let object = object.map_err(|error| failed(file, error.to_string()))?;
    let Some(rows) = number(&object, tags::ROWS) else { return Ok(None) };
    let series = text(&object, tags::SERIES_INSTANCE_UID).unwrap_or_default();
    let number = text(&object, tags::SERIES_NUMBER);
    let name = text(&object, tags::SERIES_DESCRIPTION).or_else(|| number.clone());
    Ok(Some(Slice {
        file: file.to_owned(),
        name: name.unwrap_or_else(|| series.clone()),
        number,
        series,
        modality: text(&object, tags::MODALITY).unwrap_or_default(),
        place: place(&object, rows, file),
    }))
}

fn place(object: &DefaultDicomObject, rows: usize, file: &Path) -> Result<Place> {
    let frames = number(object, tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if frames > 1 {
        let reason =
            format!("it has {frames} frames; convert such a file to NIfTI first, for example with dcm2niix");
        return Err(failed(file, reason));
    }
    if number(object, tags::SAMPLES_PER_PIXEL).unwrap_or(1) != 1 {
        return Err(failed(file, "it is a color image".to_owned()));
    }
    let place = Place {
        size: [rows, number(object, tags::COLUMNS).unwrap_or(0)],
        spacing: numbers(object, tags::PIXEL_SPACING, file)?,
        position: numbers(object, tags::IMAGE_POSITION_PATIENT, file)?,
        orientation: numbers(object, tags::IMAGE_ORIENTATION_PATIENT, file)?,
        is_rescaled: [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT]
            .iter()
            .any(|tag| float(object, *tag).is_some()),
        thickness: float(object, tags::SLICE_THICKNESS).filter(|thickness| *thickness > 0.0),
        between: float(object, tags::SPACING_BETWEEN_SLICES).filter(|between| *between > 0.0),
    };
    check(&place).map_err(|reason| failed(file, reason))?;
    if float(object, tags::RESCALE_SLOPE) == Some(0.0) {
        let reason = "its RescaleSlope is 0, with which all its voxels would have one value".to_owned();
        return Err(failed(file, reason));
    }
    Ok(place)
}

/// Checks that a slice can be as its header says.
fn check(place: &Place) -> std::result::Result<(), String> {
    let [rows, columns] = place.size;
    if rows == 0 || columns == 0 {
        return Err(format!("it has {rows} rows and {columns} columns"));
    }
    let [a, b] = place.spacing;
    if a <= 0.0 || b <= 0.0 {
        return Err(format!("its PixelSpacing is {a}\\{b}, which no voxel can have"));
    }
    let (row, column) = place.orientation.split_at(3);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let off = [dot(row, row) - 1.0, dot(column, column) - 1.0, dot(row, column)];
    if off.iter().any(|off| off.abs() > DIRECTIONS) {
        return Err(format!(
            "its ImageOrientationPatient {:?} is not two directions at right angles",
            place.orientation
        ));
    }
    Ok(())
}

fn float(object: &DefaultDicomObject, tag: Tag) -> Option<f64> {
    object.element_opt(tag).ok()??.to_float64().ok()
}

fn text(object: &DefaultDicomObject, tag: Tag) -> Option<String> {
    let text = object.element_opt(tag).ok()??.to_str().ok()?.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

fn number(object: &DefaultDicomObject, tag: Tag) -> Option<usize> {
    usize::try_from(object.element_opt(tag).ok()??.to_int::<i64>().ok()?).ok()
}

fn numbers<const N: usize>(object: &DefaultDicomObject, tag: Tag, file: &Path) -> Result<[f64; N]> {
    let found = object.element_opt(tag).ok().flatten().and_then(|element| element.to_multi_float64().ok());
    let found = found.and_then(|values| <[f64; N]>::try_from(values).ok());
    found.filter(|values| values.iter().all(|value| value.is_finite())).ok_or_else(|| {
        failed(file, format!("the position of its slice is not known: {tag} is missing or damaged"))
    })
}

pub(crate) fn failed(file: &Path, reason: String) -> Error {
    Error::File { file: file.to_owned(), reason }
}
