//! Masks: their values, and their labels on the grid of an image.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use ndarray::{Array3, Array4};
use nnunet_data::images;
use nnunet_data::integrity::shift_in_voxels;
use nnunet_data::orientation::Orientation;
use nnunet_formats::{Geometry, nifti, picture};

use crate::labels::{Labels, Value};

/// Different values beyond which a file is not a mask.
const MOST_VALUES: usize = 256;
/// Parts of a voxel by which the places of a mask and its image may differ, from rounding in their files.
const SAME_VOXEL: f64 = 0.01;

/// Whole numbers up to this are exact as read.
const EXACT: f32 = 16_777_216.0;

/// A mask as it was read.
struct Mask {
    values: Array3<Value>,
    /// None for pictures, which have no place.
    geometry: Option<Geometry>,
}

/// What a mask has.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) values: BTreeSet<Value>,
    /// How far it lies from its image. The check of the data set names it, and may repair it.
    pub(crate) shift: Option<String>,
}

/// The values and the place of a mask, whose size is compared with that of its image if there is one.
///
/// # Errors
/// Returns an error if the file cannot be read, if its values are not those of a mask, or if the sizes differ.
pub(crate) fn content(path: &Path, image: Option<&Geometry>) -> Result<Content> {
    let mask = read(path)?;
    let mut shift = None;
    if let Some(image) = image {
        let (z, y, x) = mask.values.dim();
        let own =
            mask.geometry.map(|own| Orientation::of(&own).towards(&Orientation::of(image)).geometry(&own));
        check_size(path, own.map_or([x, y, z], |own| own.size), image)?;
        let voxels = own.map(|own| shift_in_voxels(&own, image)).filter(|voxels| *voxels > SAME_VOXEL);
        let named = |voxels| format!("{} lies {voxels:.2} voxels from its image", path.display());
        shift = voxels.map(named);
    }
    let mut found = BTreeSet::new();
    for value in &mask.values {
        found.insert(*value);
        ensure!(
            found.len() <= MOST_VALUES,
            "{} has more than {MOST_VALUES} values and is not a mask; was it saved as JPEG, or resized smoothly?",
            path.display()
        );
    }
    Ok(Content { values: found, shift })
}

/// Writes a mask as labels on the grid of its image.
///
/// # Errors
/// Returns an error if the sizes differ, or an I/O error.
pub(crate) fn write(mask: &Path, labels: &Labels, image: &Geometry, to: &Path) -> Result<()> {
    let Mask { values, geometry } = read(mask)?;
    let numbers = values.mapv(|value| labels.of(value));
    let turn = geometry.map(|own| Orientation::of(&own).towards(&Orientation::of(image)));
    let numbers = match turn {
        Some(turn) => turn.turned(numbers.view()),
        None => numbers,
    };
    let (z, y, x) = numbers.dim();
    check_size(mask, [x, y, z], image)?;
    let own = geometry.zip(turn).map(|(own, turn)| turn.geometry(&own));
    // A mask that lies elsewhere keeps its place: the check of the data set names it.
    let place = own.filter(|own| shift_in_voxels(own, image) > SAME_VOXEL).unwrap_or(*image);
    Ok(nifti::write_labels(to, numbers.view(), &place)?)
}

fn check_size(mask: &Path, size: [usize; 3], image: &Geometry) -> Result<()> {
    ensure!(
        size == image.size,
        "{} has {size:?} voxels (x, y, z) but its image has {:?}",
        mask.display(),
        image.size
    );
    Ok(())
}

fn read(path: &Path) -> Result<Mask> {
    if let Some(indices) = picture::read_indices(path)? {
        return Ok(Mask { values: indices.mapv(|index| Value::Number(i64::from(index))), geometry: None });
    }
    let geometry = images::read_geometry(path)?;
    if geometry.size[2] == 1 {
        let (values, geometry) = (of_channels(path, &images::read_channels(path)?)?, placed(geometry));
        return Ok(Mask { values, geometry });
    }
    let image = images::read(path)?;
    let mut wrong = None;
    let values = image.data.mapv(|value| {
        whole(value).unwrap_or_else(|| {
            wrong.get_or_insert(value);
            Value::Number(0)
        })
    });
    match wrong {
        Some(value) => bail!("{} is not a mask: it contains {value}", path.display()),
        None => Ok(Mask { values, geometry: Some(image.geometry) }),
    }
}

/// The geometry of an image that is not a picture.
fn placed(geometry: Geometry) -> Option<Geometry> {
    let is_picture = geometry.spacing == [1.0, 1.0, 999.0] && geometry.origin == [0.0; 3];
    (!is_picture).then_some(geometry)
}

/// Beyond `EXACT` a value is not what the file has, but the nearest number that fits.
fn whole(value: f32) -> Option<Value> {
    (value.abs() < EXACT && value.fract() == 0.0).then_some(Value::Number(value as i64))
}

/// Gray values, or colors; colors that are all gray are gray values.
fn of_channels(path: &Path, channels: &Array4<f32>) -> Result<Array3<Value>> {
    let (count, z, y, x) = channels.dim();
    let is_gray = count == 1 || is_gray(channels);
    let mut wrong = None;
    let values = Array3::from_shape_fn((z, y, x), |(z, y, x)| {
        let channel = |number: usize| channels[[number, z, y, x]];
        let value = if is_gray { whole(channel(0)) } else { color([0, 1, 2].map(channel)) };
        value.unwrap_or_else(|| {
            let named = [0, 1, 2].map(|number| channel(number.min(count - 1)));
            wrong.get_or_insert(named);
            Value::Number(0)
        })
    });
    match wrong {
        Some([gray, ..]) if is_gray => bail!("{} is not a mask: it contains {gray}", path.display()),
        Some(color) => bail!(
            "{} is not a mask: it contains the color {color:?}, which is not of whole numbers up to 255",
            path.display()
        ),
        None => Ok(values),
    }
}

/// A color of 8 bits.
fn color(channels: [f32; 3]) -> Option<Value> {
    let is_whole = |value: f32| value.fract() == 0.0 && (0.0..=255.0).contains(&value);
    channels.into_iter().all(is_whole).then(|| Value::Color(channels.map(|value| value as u8)))
}

/// Whether the three colors of all voxels are equal.
pub(crate) fn is_gray(channels: &Array4<f32>) -> bool {
    let first = channels.outer_iter().next();
    channels.dim().0 >= 3 && channels.outer_iter().take(3).all(|channel| Some(channel) == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: Geometry = Geometry {
        size: [4, 3, 2],
        spacing: [1.0, 1.0, 2.0],
        origin: [5.0, 6.0, 7.0],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };

    #[test]
    fn a_mask_that_lies_otherwise_is_turned_onto_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.nii.gz"), folder.path().join("b.nii.gz"));
        let mask =
            Array3::from_shape_fn((2, 3, 4), |(z, y, x)| u8::from(x == 0) + 2 * u8::from(y == 2 && z == 1));
        let turn = Orientation::of(&IMAGE).towards(&Orientation::from_letters("SAR").unwrap());
        nifti::write_labels(&from, turn.turned(mask.view()).view(), &turn.geometry(&IMAGE)).unwrap();
        let found =
            content(&from, Some(&IMAGE)).unwrap().values.into_iter().map(|value| (value, 1)).collect();
        let labels = Labels::new(&found, &[]).unwrap();
        write(&from, &labels, &IMAGE, &to).unwrap();
        let written = nifti::read(&to).unwrap();
        assert_eq!(written.data, mask.mapv(f32::from));
        assert_eq!(written.geometry, IMAGE);
        let smaller = Geometry { size: [4, 3, 1], ..IMAGE };
        assert!(
            write(&from, &labels, &smaller, &to).unwrap_err().to_string().contains("its image has [4, 3, 1]")
        );
    }

    #[test]
    fn a_mask_that_lies_elsewhere_keeps_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.nii.gz"), folder.path().join("b.nii.gz"));
        let moved = Geometry { origin: [9.0, 6.0, 7.0], ..IMAGE };
        let rounded = Geometry { origin: [5.000_01, 6.0, 7.0], spacing: [1.000_1, 1.0, 2.0], ..IMAGE };
        for (geometry, place) in [(moved, moved), (rounded, IMAGE)] {
            nifti::write_labels(&from, Array3::<u8>::ones((2, 3, 4)).view(), &geometry).unwrap();
            let labels = Labels::new(&[(Value::Number(1), 1)].into(), &[]).unwrap();
            write(&from, &labels, &IMAGE, &to).unwrap();
            assert_eq!(nifti::read(&to).unwrap().geometry, place);
            let shift = content(&from, Some(&IMAGE)).unwrap().shift;
            assert_eq!(shift.is_some(), place == moved, "{shift:?}");
        }
    }

    #[test]
    fn values_that_are_not_exact_are_refused() {
        assert_eq!(whole(16_777_215.0), Some(Value::Number(16_777_215)));
        for wrong in [20_000_001.0, -20_000_001.0, 0.5, f32::NAN, f32::INFINITY] {
            assert_eq!(whole(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn colors_are_whole_numbers_of_eight_bits() {
        let colors = |red: f32| {
            Array4::from_shape_fn((3, 1, 1, 2), |(channel, ..)| if channel == 0 { red } else { 7.0 })
        };
        let found = of_channels(Path::new("mask.tif"), &colors(255.0)).unwrap();
        assert_eq!(found[[0, 0, 0]], Value::Color([255, 7, 7]));
        for wrong in [256.0, 0.5, f32::NAN] {
            let text = of_channels(Path::new("mask.tif"), &colors(wrong)).unwrap_err().to_string();
            assert!(text.contains("mask.tif is not a mask: it contains"), "{text}");
        }
    }
}
