//! Raw images to cropped cases.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use ndarray::{Array3, Array4, Axis};
use nnunet_formats::nifti::Geometry;
use nnunet_formats::{Image, npz};
use nnunet_plugin_core::vocabulary::{CaseProperties, ItkGeometry};
use nnunet_preprocessing::{Cropped, crop_to_nonzero, crop_to_nonzero_or_keep};

use super::cache_key::{CaseFiles, KeyBuilder};
use super::parallel::{CaseStep, Limits, for_each_case};
use super::part::Part;
use super::sizes::{f32_bytes, voxels};
use super::task_folders::TaskFolders;
use crate::dataset::Dataset;
use crate::{folders, images, records};

/// Crops the training cases of a part of a task into `cropped`. Cases made from the same files, and cases that Python made, are
/// kept.
///
/// # Errors
/// Returns one error that lists all cases that cannot be read.
pub fn crop_task(dataset: &Dataset, task: &TaskFolders, limits: Limits, part: Part) -> Result<()> {
    dataset.check()?;
    let references = task.cropped.join("gt_segmentations");
    for folder in [&task.cropped, &references] {
        part.sweep(folder)?;
    }
    let step = Crop { dataset, cropped: &task.cropped, references: &references };
    for_each_case(&step, &part.of(&dataset.training), limits)?;
    folders::copy_file(&dataset.folder.join("dataset.json"), &task.cropped.join("dataset.json"))
}

/// The number of training cases that are not cropped yet, by whichever part.
#[must_use]
pub fn left_to_crop(dataset: &Dataset, task: &TaskFolders) -> usize {
    let is_left = |case: &&String| !CaseFiles::new(&task.cropped, case).exist();
    dataset.training.iter().filter(is_left).count()
}

/// Crops a case and copies its reference segmentation.
struct Crop<'a> {
    dataset: &'a Dataset,
    cropped: &'a Path,
    references: &'a Path,
}

impl CaseStep for Crop<'_> {
    type Output = ();

    fn name(&self) -> String {
        "cropping".to_owned()
    }

    fn memory(&self, case: &str) -> u64 {
        memory_of(self.dataset, case)
    }

    fn run(&self, case: &str) -> Result<()> {
        let reference = self.references.join(format!("{case}{}", images::DEFAULT_ENDING));
        images::as_nifti(&self.dataset.label(case), &reference)?;
        crop_one(self.dataset, case, &CaseFiles::new(self.cropped, case))
    }
}

fn crop_one(dataset: &Dataset, case: &str, files: &CaseFiles) -> Result<()> {
    if files.is_foreign() {
        return Ok(());
    }
    let (channels, label) = (dataset.images(case), dataset.label(case));
    let inputs = channels.iter().chain([&label]);
    let key = inputs.clone().try_fold(KeyBuilder::new(), |key, path| key.file(path))?;
    let names = inputs.map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
    let key = key.text(&names).finish();
    if files.is_current(&key) {
        return Ok(());
    }
    let (cropped, found) = crop_case(&channels, Some(&label))?;
    files.begin(&key)?;
    npz::save_case(&files.npz, cropped.data.view(), cropped.seg.view())?;
    records::save(&files.pkl, &records::case_to_pickle(&found))
}

/// The raw image, its crop, a mask and the bytes of one file. An unreadable case fails at once and needs no memory.
fn memory_of(dataset: &Dataset, case: &str) -> u64 {
    let size = images::read_geometry(&dataset.label(case)).map_or(0, |geometry| voxels(geometry.size));
    f32_bytes(size) * (2 * (dataset.modalities.len() as u64 + 1) + 3)
}

/// Reads the channels of a case and crops them.
///
/// # Errors
/// As [`RawCase::read`]; an image that is zero everywhere.
pub fn crop_case(files: &[PathBuf], label: Option<&Path>) -> Result<(Cropped, CaseProperties)> {
    RawCase::read(files, label)?.crop()
}

/// A case as read from its files.
#[derive(Debug, Clone)]
pub struct RawCase {
    /// (channels, z, y, x).
    pub data: Array4<f32>,
    /// (z, y, x).
    pub seg: Option<Array3<f32>>,
    /// Of the arrays.
    pub geometry: Geometry,
    /// One a channel.
    pub files: Vec<PathBuf>,
    /// Of the label map.
    pub seg_file: Option<PathBuf>,
}

impl RawCase {
    /// Reads the channels of a case.
    ///
    /// # Errors
    /// Returns an error for a file that is missing, unreadable, or of another size than the first channel.
    pub fn read(files: &[PathBuf], label: Option<&Path>) -> Result<Self> {
        let (data, geometry) = read_channels(files, images::read)?;
        Self::with_label(data, geometry, files, label)
    }

    /// As [`RawCase::read`], but numbers that are not finite stay.
    ///
    /// # Errors
    /// As [`RawCase::read`].
    pub fn read_keeping_nan(files: &[PathBuf], label: Option<&Path>) -> Result<Self> {
        let (data, geometry) = read_channels(files, images::read_keeping_nan)?;
        Self::with_label(data, geometry, files, label)
    }

    fn with_label(
        data: Array4<f32>,
        geometry: Geometry,
        files: &[PathBuf],
        label: Option<&Path>,
    ) -> Result<Self> {
        let seg = label.map(|path| read_label(path, &geometry)).transpose()?;
        Ok(Self { data, seg, geometry, files: files.to_vec(), seg_file: label.map(Path::to_owned) })
    }

    /// Reads pictures with all their channels.
    ///
    /// # Errors
    /// As [`RawCase::read`].
    pub fn read_pictures(files: &[PathBuf], label: Option<&Path>) -> Result<Self> {
        let Some(first) = files.first() else { bail!("a case without images") };
        let pictures: Vec<Array4<f32>> =
            files.iter().map(|path| images::read_channels(path)).collect::<Result<_>>()?;
        let views: Vec<_> = pictures.iter().map(|picture| picture.view()).collect();
        let data = ndarray::concatenate(Axis(0), &views)
            .with_context(|| format!("{}: its channels have several sizes", first.display()))?;
        Self::with_label(data, images::read_geometry(first)?, files, label)
    }

    /// Crops it to what is not zero.
    ///
    /// # Errors
    /// Returns an error for an image that is zero everywhere.
    pub fn crop(mut self) -> Result<(Cropped, CaseProperties)> {
        let cropped = crop_to_nonzero(self.data.view(), self.seg.take()).with_context(|| {
            self.files.first().map_or_else(String::new, |file| file.display().to_string())
        })?;
        Ok(self.cropped(cropped))
    }

    /// As [`RawCase::crop`], but an image that is zero everywhere stays whole, as in v2.
    #[must_use]
    pub fn crop_or_keep(mut self) -> (Cropped, CaseProperties) {
        let cropped = crop_to_nonzero_or_keep(self.data.view(), self.seg.take());
        self.cropped(cropped)
    }

    /// With the properties of the case.
    fn cropped(self, cropped: Cropped) -> (Cropped, CaseProperties) {
        let Self { geometry, files, seg_file, .. } = self;
        let (_, z, y, x) = cropped.data.dim();
        let properties = CaseProperties {
            original_size_of_raw_data: geometry.size_zyx(),
            original_spacing: geometry.spacing_zyx(),
            list_of_data_files: files.iter().map(|path| path.display().to_string()).collect(),
            seg_file: seg_file.map(|path| path.display().to_string()),
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
        (cropped, properties)
    }
}

fn read_channels(files: &[PathBuf], read: fn(&Path) -> Result<Image>) -> Result<(Array4<f32>, Geometry)> {
    let Some(first) = files.first() else { bail!("a case without images") };
    let mut channels = Vec::new();
    let mut geometry: Option<Geometry> = None;
    for path in files {
        let image = read(path)?;
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
    let label = images::read(path)?;
    ensure!(
        label.geometry.size == geometry.size,
        "{} has {:?} voxels (x, y, z) but its image has {:?}; was it exported from another series?",
        path.display(),
        label.geometry.size,
        geometry.size
    );
    Ok(label.data)
}
