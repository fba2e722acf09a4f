//! v2's classes that read and write images.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::ArrayView3;
use nnunet_formats::nifti::Geometry;
use nnunet_formats::pickle::{DType, NdArray, Value};
use nnunet_plugin_core::vocabulary::CaseProperties;
use serde::Deserialize;

use crate::export;
use crate::folders::file_names;
use crate::images::{self, Label};
use crate::orientation::Orientation;
use crate::pipeline::RawCase;

/// Readers by v2's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Reader {
    /// Images as they are.
    #[default]
    #[serde(rename = "SimpleITKIO")]
    SimpleItk,
    /// Images turned to run to the right, to the front and up.
    #[serde(rename = "SimpleITKIOWithReorient")]
    SimpleItkTurned,
    /// Images as they are.
    #[serde(rename = "NibabelIO")]
    Nibabel,
    /// Images turned to run to the right, to the front and up.
    #[serde(rename = "NibabelIOWithReorient")]
    NibabelTurned,
    /// Pictures, of which a file may have several channels.
    #[serde(rename = "NaturalImage2DIO")]
    Pictures,
    /// Stacks.
    #[serde(rename = "Tiff3DIO")]
    Tiff,
}

/// Endings of pictures, of what SimpleITK reads by itself, and of stacks, in v2.
const PICTURES: [&str; 3] = [".png", ".bmp", ".tif"];
const SIMPLE_ITK: [&str; 4] = [".nii.gz", ".nrrd", ".mha", ".gipl"];
const STACKS: [&str; 2] = [".tif", ".tiff"];

impl Reader {
    /// The reader that v2 takes for files of an ending, by one of them; that of a name, if `dataset.json` names one it
    /// knows.
    ///
    /// # Errors
    /// Returns an error if no reader supports the ending.
    pub fn determine(named: Option<&str>, ending: &str, example: Option<&Path>) -> Result<Self> {
        let named = named.filter(|name| *name != "None").map(|name| (name, Self::named(name)));
        match named {
            Some((_, Some(reader))) => return Ok(reader),
            Some((name, None)) => {
                tracing::warn!("dataset.json names the reader {name}, which is not known here")
            }
            None => {}
        }
        let lower = ending.to_lowercase();
        let is = |endings: &[&str]| endings.contains(&lower.as_str());
        let is_picture =
            || example.is_none_or(|path| images::read_geometry(path).is_ok_and(|g| g.size[2] == 1));
        if is(&PICTURES) && (!is(&STACKS) || is_picture()) {
            return Ok(Self::Pictures);
        }
        if is(&SIMPLE_ITK) {
            return Ok(Self::SimpleItk);
        }
        if is(&STACKS) {
            return Ok(Self::Tiff);
        }
        // `.nii` is nibabel's in v2; further endings are those of formats that this program knows.
        ensure!(
            images::ending(ending) == Some(ending),
            "no reader is known for files that end in {ending}; name one in dataset.json: overwrite_image_reader_writer"
        );
        Ok(if lower == ".nii" { Self::Nibabel } else { Self::SimpleItk })
    }

    fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }

    /// The name of the class.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SimpleItk => "SimpleITKIO",
            Self::SimpleItkTurned => "SimpleITKIOWithReorient",
            Self::Nibabel => "NibabelIO",
            Self::NibabelTurned => "NibabelIOWithReorient",
            Self::Pictures => "NaturalImage2DIO",
            Self::Tiff => "Tiff3DIO",
        }
    }

    fn turns(self) -> bool {
        matches!(self, Reader::SimpleItkTurned | Reader::NibabelTurned)
    }

    /// Whether numbers that are not finite stay, as nibabel reads them.
    fn keeps_nan(self) -> bool {
        matches!(self, Reader::Nibabel | Reader::NibabelTurned)
    }

    /// How many files the cases of a folder, or one of its images, have for their channels.
    #[must_use]
    pub fn files(self, input: &Path, ending: &str, channels: usize) -> usize {
        if self != Reader::Pictures {
            return channels;
        }
        let folder = if input.is_file() { input.parent().unwrap_or(input) } else { input };
        let is_there = |channel: &usize| {
            file_names(folder, &format!("_{channel:04}{ending}")).is_ok_and(|names| !names.is_empty())
        };
        1 + (1..channels).take_while(is_there).count()
    }

    /// Reads a case and turns it as v2 does.
    ///
    /// # Errors
    /// As [`RawCase::read`].
    pub fn read(self, images: &[PathBuf], labels: Option<&Path>) -> Result<RawCase> {
        if self == Reader::Pictures {
            return RawCase::read_pictures(images, labels);
        }
        let case = if self.keeps_nan() {
            RawCase::read_keeping_nan(images, labels)?
        } else {
            RawCase::read(images, labels)?
        };
        Ok(if self.turns() { Orientation::of(&case.geometry).turn(case) } else { case })
    }

    /// Where the case lies that [`Reader::read`] gives for an image that lies there.
    #[must_use]
    pub fn geometry(self, image: &Geometry) -> Geometry {
        if self.turns() { Orientation::of(image).geometry(image) } else { *image }
    }

    /// Writes labels, (z, y, x) of the whole case, to lie as its image does.
    ///
    /// # Errors
    /// Returns an I/O error.
    pub fn write<L: Label>(
        self,
        path: &Path,
        labels: ArrayView3<'_, L>,
        case: &CaseProperties,
    ) -> Result<()> {
        if !self.turns() {
            return images::write_labels(path, labels, &export::raw_geometry(case));
        }
        let image = image_geometry(case)?;
        let back = Orientation::of(&image).inverse();
        images::write_labels(path, back.turned(labels).view(), &image)
    }

    /// What v2 keeps beside probabilities to write label maps later.
    ///
    /// # Errors
    /// Returns an error for an image that is not there any more.
    pub fn keeps(self, case: &CaseProperties) -> Result<Option<(&'static str, Value)>> {
        Ok(Some(match self {
            Reader::Pictures | Reader::Tiff => return Ok(None),
            Reader::SimpleItk => ("sitk_stuff", Value::dict(sitk(case))),
            Reader::SimpleItkTurned => {
                let letters = Orientation::of(&image_geometry(case)?).letters();
                let letters = ("original_orientation", Value::str(letters));
                ("sitk_stuff", Value::dict(sitk(case).into_iter().chain([letters]).collect()))
            }
            Reader::Nibabel => {
                ("nibabel_stuff", Value::dict(vec![("original_affine", affine(&export::raw_geometry(case)))]))
            }
            Reader::NibabelTurned => {
                let original = ("original_affine", affine(&image_geometry(case)?));
                let turned = ("reoriented_affine", affine(&export::raw_geometry(case)));
                ("nibabel_stuff", Value::dict(vec![original, turned]))
            }
        }))
    }

    /// Writes labels, (z, y, x) of the whole case, to lie as its image did by what [`Reader::keeps`] says of it.
    ///
    /// # Errors
    /// Returns an error for properties of another reader, or an I/O error.
    pub fn write_kept<L: Label>(self, path: &Path, labels: ArrayView3<'_, L>, kept: &Value) -> Result<()> {
        let (image, back) = match self {
            Reader::Pictures | Reader::Tiff => (unplaced(kept)?, None),
            Reader::SimpleItk => (from_sitk(kept)?, None),
            Reader::SimpleItkTurned => {
                let stuff = kept.get("sitk_stuff");
                let letters = stuff.and_then(|stuff| stuff.get("original_orientation")?.as_str());
                let turn = letters.and_then(Orientation::from_letters).context("no original_orientation")?;
                (turn.inverse().geometry(&sized(from_sitk(kept)?, labels)), Some(turn.inverse()))
            }
            Reader::Nibabel => (from_affine(kept)?, None),
            Reader::NibabelTurned => {
                let image = from_affine(kept)?;
                (image, Some(Orientation::of(&image).inverse()))
            }
        };
        match back {
            None => images::write_labels(path, labels, &sized(image, labels)),
            Some(back) => {
                let labels = back.turned(labels);
                images::write_labels(path, labels.view(), &sized(image, labels.view()))
            }
        }
    }
}

fn sized<L>(geometry: Geometry, labels: ArrayView3<'_, L>) -> Geometry {
    let (z, y, x) = labels.dim();
    Geometry { size: [x, y, z], ..geometry }
}

/// Without a size.
fn from_sitk(kept: &Value) -> Result<Geometry> {
    let stuff = kept.get("sitk_stuff").context("no sitk_stuff")?;
    Ok(Geometry {
        size: [0; 3],
        spacing: numbers(stuff, "spacing")?,
        origin: numbers(stuff, "origin")?,
        direction: numbers(stuff, "direction")?,
    })
}

/// Without a size.
fn unplaced(kept: &Value) -> Result<Geometry> {
    let [z, y, x] = numbers(kept, "spacing")?;
    let direction = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    Ok(Geometry { size: [0; 3], spacing: [x, y, z], origin: [0.0; 3], direction })
}

/// Without a size.
fn from_affine(kept: &Value) -> Result<Geometry> {
    let stuff = kept.get("nibabel_stuff").context("no nibabel_stuff")?;
    let affine: [f64; 16] = numbers(stuff, "original_affine")?;
    let world = |row: usize, column: usize| {
        let value = affine[4 * row + column];
        if row < 2 { -value } else { value }
    };
    let length = |axis: usize| (0..3).map(|row| world(row, axis).powi(2)).sum::<f64>().sqrt();
    let spacing = [0, 1, 2].map(length);
    ensure!(spacing.iter().all(|length| *length > 0.0), "original_affine has an axis without length");
    Ok(Geometry {
        size: [0; 3],
        spacing,
        origin: [0, 1, 2].map(|row| world(row, 3)),
        direction: std::array::from_fn(|i| world(i / 3, i % 3) / spacing[i % 3]),
    })
}

fn numbers<const N: usize>(stuff: &Value, key: &str) -> Result<[f64; N]> {
    let values = match stuff.get(key) {
        Some(Value::Array(array)) => array.to_f64(),
        other => other.and_then(Value::to_f64_vec),
    };
    values.and_then(|values| values.try_into().ok()).with_context(|| format!("{key} is not {N} numbers"))
}

/// Where the case's first image lies.
fn image_geometry(case: &CaseProperties) -> Result<Geometry> {
    images::read_geometry(Path::new(case.list_of_data_files.first().context("a case without images")?))
}

fn sitk(case: &CaseProperties) -> Vec<(&'static str, Value)> {
    let floats = |values: &[f64]| Value::Tuple(values.iter().map(|value| Value::Float(*value)).collect());
    let itk = &case.itk;
    vec![
        ("spacing", floats(&itk.spacing)),
        ("origin", floats(&itk.origin)),
        ("direction", floats(&itk.direction)),
    ]
}

/// NIfTI's 4 x 4 matrix from voxels to a world that runs to the right and to the front.
fn affine(geometry: &Geometry) -> Value {
    let row = |world: usize| {
        let sign = if world < 2 { -1.0 } else { 1.0 };
        let step = move |axis: usize| geometry.direction[3 * world + axis] * geometry.spacing[axis];
        (0..3).map(step).chain([geometry.origin[world]]).map(move |value| sign * value)
    };
    let values = (0..3).flat_map(row).chain([0.0, 0.0, 0.0, 1.0]);
    let data = values.flat_map(f64::to_le_bytes).collect();
    Value::Array(NdArray { dtype: DType::F64, shape: vec![4, 4], data, objects: Vec::new() })
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn a_picture_may_have_all_channels_of_a_case() {
        let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stored/formats");
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::copy(stored.join("colors.png"), file("a_0000.png")).unwrap();
        let files = |input: &Path| Reader::Pictures.files(input, ".png", 4);
        assert_eq!((files(folder.path()), files(&file("a_0000.png"))), (1, 1));
        assert_eq!(Reader::SimpleItk.files(folder.path(), ".png", 4), 4);
        std::fs::copy(stored.join("gray.png"), file("a_0001.png")).unwrap();
        assert_eq!(files(folder.path()), 2);
        let case = Reader::Pictures.read(&[file("a_0000.png"), file("a_0001.png")], None).unwrap();
        assert_eq!((case.data.dim(), case.geometry.spacing_zyx()), ((4, 1, 6, 7), [999.0, 1.0, 1.0]));
        std::fs::copy(stored.join("alpha.png"), file("b_0000.png")).unwrap();
        assert!(Reader::SimpleItk.read(&[file("b_0000.png")], None).is_err());
    }

    #[test]
    fn labels_of_kept_stacks_get_their_spacing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tif");
        let spacing = [2.0, 0.5, 0.25].map(Value::Float).to_vec();
        let kept = Value::dict(vec![("spacing", Value::List(spacing))]);
        Reader::Tiff.write_kept(&path, Array3::<u8>::zeros((3, 4, 5)).view(), &kept).unwrap();
        assert_eq!(images::read_geometry(&path).unwrap().spacing_zyx(), [2.0, 0.5, 0.25]);
    }
}
