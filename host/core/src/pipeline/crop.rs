//! Raw images to cropped cases.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array3, Array4, Axis, concatenate};
use nnunet_formats::nifti::{self, Geometry};
use nnunet_formats::npz;
use nnunet_plugin_api::vocabulary::{CaseProperties, ItkGeometry};
use nnunet_preprocessing::{Cropped, crop_to_nonzero};

use super::{TaskFolders, for_each_case};
use crate::dataset::Dataset;
use crate::{folders, records};

/// Crops all training cases of a task into `cropped`; cases that are there already are kept.
///
/// # Errors
/// All cases that cannot be read, together.
pub fn crop_task(dataset: &Dataset, task: &TaskFolders) -> Result<()> {
    let truths = task.cropped.join("gt_segmentations");
    folders::create(&truths)?;
    for_each_case("cropping", &dataset.training, |case| {
        let label = dataset.label(case);
        let copy = truths.join(format!("{case}.nii.gz"));
        copy_file(&label, &copy)?;
        let (array, properties) =
            (task.cropped.join(format!("{case}.npz")), task.cropped.join(format!("{case}.pkl")));
        if array.is_file() && properties.is_file() {
            return Ok(());
        }
        let (cropped, found) = crop_case(&dataset.images(case), Some(&label))?;
        let seg = cropped.seg.insert_axis(Axis(0));
        npz::save_f32(&array, "data", concatenate![Axis(0), cropped.data, seg].view())?;
        records::save(&properties, &records::case_to_pickle(&found))
    })?;
    copy_file(&dataset.folder.join("dataset.json"), &task.cropped.join("dataset.json"))
}

/// Copies under a temporary name.
pub(super) fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = std::fs::read(from).with_context(|| from.display().to_string())?;
    Ok(nnunet_formats::atomic::write_bytes(to, &bytes)?)
}

/// Reads the channels of a case and crops them.
///
/// # Errors
/// A file that is missing, unreadable, or of another size than the first channel.
pub fn crop_case(images: &[PathBuf], label: Option<&Path>) -> Result<(Cropped, CaseProperties)> {
    let (data, geometry) = read_channels(images)?;
    let seg = label.map(|path| read_label(path, &geometry)).transpose()?;
    let cropped = crop_to_nonzero(data.view(), seg).with_context(|| images[0].display().to_string())?;
    let (_, z, y, x) = cropped.data.dim();
    let properties = CaseProperties {
        original_size_of_raw_data: geometry.size_zyx(),
        original_spacing: geometry.spacing_zyx(),
        list_of_data_files: images.iter().map(|path| path.display().to_string()).collect(),
        seg_file: label.map(|path| path.display().to_string()),
        itk: ItkGeometry {
            origin: geometry.origin,
            spacing: geometry.spacing,
            direction: geometry.direction,
        },
        crop_bbox: cropped.bbox,
        classes: cropped.classes.clone(),
        size_after_cropping: [z, y, x],
        ..CaseProperties::default()
    };
    Ok((cropped, properties))
}

fn read_channels(images: &[PathBuf]) -> Result<(Array4<f32>, Geometry)> {
    let Some(first) = images.first() else { bail!("a case without images") };
    let mut channels = Vec::new();
    let mut geometry: Option<Geometry> = None;
    for path in images {
        let image = nifti::read(path)?;
        let wanted = geometry.get_or_insert(image.geometry).size;
        let size = image.geometry.size;
        ensure!(
            size == wanted,
            "{} has {size:?} voxels (x, y, z) but {} has {wanted:?}; all channels of a case must share one grid",
            path.display(),
            first.display()
        );
        channels.push(image.data);
    }
    let views: Vec<_> = channels.iter().map(|channel| channel.view()).collect();
    let data = ndarray::stack(Axis(0), &views)?;
    Ok((data, geometry.context("a case without images")?))
}

fn read_label(path: &Path, geometry: &Geometry) -> Result<Array3<f32>> {
    let label = nifti::read(path)?;
    ensure!(
        label.geometry.size == geometry.size,
        "{} has {:?} voxels (x, y, z) but its image has {:?}; was it exported from another series?",
        path.display(),
        label.geometry.size,
        geometry.size
    );
    Ok(label.data)
}
