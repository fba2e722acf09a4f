//! Phantoms as people have their data: DICOM series, or pictures, with masks.

use std::path::Path;

use anyhow::Result;
use ndarray::{Array3, Axis};
use nnunet_data::folders;
use nnunet_data::phantom::{PhantomCase, PhantomOptions, phantom_case};
use nnunet_dicom::{Header, Volume};
use nnunet_formats::{Geometry, nifti, picture};

/// Intensities of phantoms that are white in a picture.
const WHITE: f32 = 300.0;

/// Writes `images/CASE/slice_000.dcm` and so on, and `masks/CASE.nii.gz`; test images into `test`.
///
/// # Errors
/// Returns an I/O error.
pub fn write_dicom(folder: &Path, options: &PhantomOptions) -> Result<()> {
    for_each(folder, options, |images, masks, name, number| {
        let PhantomCase { image, label, spacing: [z, y, x] } = phantom_case(options.seed, number);
        let (slices, rows, columns) = image.dim();
        let geometry = Geometry {
            size: [columns, rows, slices],
            spacing: [x, y, z],
            origin: [-100.0, -150.0, 20.0],
            direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        };
        let header = Header {
            patient: name.to_owned(),
            series: "phantom".to_owned(),
            modality: "MR".to_owned(),
            number: options.seed.wrapping_mul(1000).wrapping_add(number as u64),
        };
        let series = images.join(name);
        folders::create(&series)?;
        nnunet_dicom::write(&series, &Volume { data: image, geometry }, &header)?;
        let Some(masks) = masks else { return Ok(()) };
        Ok(nifti::write_labels(&masks.join(format!("{name}.nii.gz")), label.view(), &geometry)?)
    })
}

/// Writes `images/CASE.png` and `masks/CASE.png`, the slice with most foreground; test images into `test`.
///
/// # Errors
/// Returns an I/O error.
pub fn write_pictures(folder: &Path, options: &PhantomOptions) -> Result<()> {
    for_each(folder, options, |images, masks, name, number| {
        let PhantomCase { image, label, .. } = phantom_case(options.seed, number);
        let foreground = |z: &usize| label.index_axis(Axis(0), *z).iter().filter(|label| **label > 0).count();
        let slice = (0..label.dim().0).max_by_key(foreground).unwrap_or(0);
        let gray = image.index_axis(Axis(0), slice).mapv(|voxel| (voxel / WHITE * 255.0).min(255.0) as u8);
        write_picture(&images.join(format!("{name}.png")), gray.insert_axis(Axis(0)))?;
        let Some(masks) = masks else { return Ok(()) };
        let mask = label.index_axis(Axis(0), slice).mapv(|label| (u16::from(label) * 255 / 2) as u8);
        write_picture(&masks.join(format!("{name}.png")), mask.insert_axis(Axis(0)))
    })
}

fn write_picture(path: &Path, gray: Array3<u8>) -> Result<()> {
    let (_, rows, columns) = gray.dim();
    let geometry = Geometry {
        size: [columns, rows, 1],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    Ok(picture::write_labels(path, gray.view(), &geometry)?)
}

/// Calls `write` with the folder of the images, that of the masks for training cases, and the name and the number of every
/// case.
fn for_each(
    folder: &Path,
    options: &PhantomOptions,
    write: impl Fn(&Path, Option<&Path>, &str, usize) -> Result<()>,
) -> Result<()> {
    let [images, masks, tests] = ["images", "masks", "test"].map(|name| folder.join(name));
    [&images, &masks, &tests].into_iter().try_for_each(|folder| folders::create(folder))?;
    for number in 0..options.train_cases + options.test_cases {
        let name = format!("patient_{:02}", number + 1);
        if number < options.train_cases {
            write(&images, Some(&masks), &name, number)?;
        } else {
            write(&tests, None, &name, number)?;
        }
    }
    Ok(())
}
