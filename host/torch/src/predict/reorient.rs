//! `--reorient`: images that lie unlike those of the training are turned before they are read, and their label maps are
//! turned back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ndarray::{Array3, Array4, ArrayView3};
use nnunet_data::orientation::Orientation;
use nnunet_data::training_images::TrainingImages;
use nnunet_data::{folders, images};
use nnunet_formats::Geometry;
use nnunet_formats::atomic::{self, TemporaryFolder};
use nnunet_formats::pickle::Value;
use nnunet_inference::{ExportResampler, SegmentationHeads};
use nnunet_plugin_api::TaskHead;
use nnunet_plugin_api::tch::Tensor;
use nnunet_plugin_api::vocabulary::CaseProperties;

use crate::case::{Case, FileNaming, PreparedCase, ProbabilityFormat, ResampledData};
use crate::family::{CaseExport, CaseProcessing};

/// Writes a file turned back onto the grid of its image.
type WriteBack = fn(from: &Path, to: &Path, turn: &Orientation, image: &Geometry) -> Result<()>;

/// A model's processing, for images that lie as those of the training.
pub(super) struct Reoriented {
    inner: Box<dyn CaseProcessing>,
    training: TrainingImages,
    target: Orientation,
    /// For files that are needed until they are turned; on the disk that the label maps are on.
    folder: TemporaryFolder,
}

impl Reoriented {
    /// Around a model's processing; label maps are written to `output`.
    ///
    /// # Errors
    /// Returns an error if the orientation of the training images is not known, or if probabilities are wanted.
    pub(super) fn new(
        inner: Box<dyn CaseProcessing>,
        training: &TrainingImages,
        output: &Path,
    ) -> Result<Self> {
        ensure!(
            inner.probability_format().is_none(),
            "--reorient turns label maps back, but no probabilities: leave out -z"
        );
        let target = training.main_orientation().and_then(Orientation::from_letters).context(
            "--reorient: the model does not say how its training images lie; plan and train again, or turn the images first",
        )?;
        let folder = atomic::temporary_folder(output).with_context(|| output.display().to_string())?;
        Ok(Self { inner, training: training.clone(), target, folder })
    }

    /// How an image in a file is turned; none if it lies as one of the training.
    fn turn(&self, file: &Geometry) -> Option<Orientation> {
        let image = self.inner.as_read(file);
        let is_known = self.training.has_orientation(&image);
        (!is_known).then(|| Orientation::of(&image).towards(&self.target))
    }

    fn turned(&self, file: &Geometry) -> Geometry {
        self.turn(file).map_or(*file, |turn| turn.geometry(file))
    }

    /// Does something with a folder of its own, which is then removed.
    fn in_folder<T>(&self, name: &str, body: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let folder = self.folder.path().join(name);
        folders::create(&folder)?;
        let done = body(&folder);
        // What cannot be removed now is removed at the end of the program.
        let _ = std::fs::remove_dir_all(&folder);
        done
    }

    /// Writes a file of a case by `inner`, and turns it `back` if the image was turned.
    fn write(
        &self,
        case: &CaseProperties,
        output: &Path,
        back: WriteBack,
        inner: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let first = Path::new(case.list_of_data_files.first().context("a case without images")?);
        let image = images::read_geometry(first)?;
        let Some(turn) = self.turn(&image) else { return inner(output) };
        let name = name(output);
        self.in_folder(&format!("labels-{}", name.display()), |folder| {
            let turned = folder.join(name);
            inner(&turned)?;
            back(&turned, output, &turn, &image)
        })
    }
}

/// Writes numbers turned back onto the grid of their image.
fn write_values_back(from: &Path, to: &Path, turn: &Orientation, image: &Geometry) -> Result<()> {
    let values = turn.inverse().turned(images::read(from)?.data.view());
    images::write_image(to, values.view(), image)
}

/// Writes an image turned; what is not a finite number stays so.
fn write_turned(from: &Path, to: &Path, turn: &Orientation) -> Result<()> {
    let image = images::read_keeping_nan(from)?;
    let (voxels, geometry) = (turn.turned(image.data.view()), turn.geometry(&image.geometry));
    images::write_image(to, voxels.view(), &geometry)
}

/// Writes a label map turned back onto the grid of its image.
fn write_back(from: &Path, to: &Path, turn: &Orientation, image: &Geometry) -> Result<()> {
    let labels = turn.inverse().turned(images::read(from)?.data.view());
    images::write_label_numbers(to, &labels, image)
}

fn name(path: &Path) -> &Path {
    Path::new(path.file_name().unwrap_or_default())
}

impl CaseProcessing for Reoriented {
    fn file_naming(&self, input: &Path) -> FileNaming {
        self.inner.file_naming(input)
    }

    fn network_size(&self, image: &Geometry) -> [usize; 3] {
        self.inner.network_size(&self.turned(image))
    }

    fn as_read(&self, file: &Geometry) -> Geometry {
        self.inner.as_read(file)
    }

    fn needs_whole_volume(&self) -> bool {
        self.inner.needs_whole_volume()
    }

    fn write_model_files(&self, output: &Path) -> Result<()> {
        self.inner.write_model_files(output)
    }

    fn preprocess(&self, case: &Case) -> Result<PreparedCase> {
        let first = case.images.first().context("a case without images")?;
        let Some(turn) = self.turn(&images::read_geometry(first)?) else {
            return self.inner.preprocess(case);
        };
        let mut prepared = self.in_folder(&format!("image-{}", case.name), |folder| {
            let place = |image: &PathBuf| folder.join(name(image));
            let turned: Vec<PathBuf> = case.images.iter().map(place).collect();
            for (from, to) in case.images.iter().zip(&turned) {
                write_turned(from, to, &turn)?;
            }
            self.inner.preprocess(&Case { images: turned, ..case.clone() })
        })?;
        // How the label map is turned back follows from the image.
        prepared.properties.list_of_data_files =
            case.images.iter().map(|image| image.display().to_string()).collect();
        Ok(prepared)
    }

    fn finish(&self, output: &Path, elapsed: Duration) -> Result<()> {
        self.inner.finish(output, elapsed)
    }
}

impl CaseExport for Reoriented {
    fn output_head(&self) -> &SegmentationHeads {
        self.inner.output_head()
    }

    fn head(&self) -> Option<&TaskHead> {
        self.inner.head()
    }

    fn resampled_data(&self) -> ResampledData {
        self.inner.resampled_data()
    }

    fn resamples_by_component(&self) -> bool {
        self.inner.resamples_by_component()
    }

    fn resample_class(
        &self,
        class: ArrayView3<'_, f32>,
        grids: &ExportResampler,
        case: &CaseProperties,
    ) -> Result<Array3<f32>> {
        self.inner.resample_class(class, grids, case)
    }

    fn probability_format(&self) -> Option<ProbabilityFormat> {
        self.inner.probability_format()
    }

    fn finish_scores(&self, scores: &mut Array4<f32>, resampled: bool) -> Result<()> {
        self.inner.finish_scores(scores, resampled)
    }

    fn finish_score_tensor(&self, scores: Tensor, resampled: bool) -> nnunet_plugin_api::Result<Tensor> {
        self.inner.finish_score_tensor(scores, resampled)
    }

    fn probability_properties(&self, case: &CaseProperties) -> Result<Value> {
        self.inner.probability_properties(case)
    }

    fn write_labels(&self, labels: Array3<u16>, case: &CaseProperties, output: &Path) -> Result<()> {
        self.write(case, output, write_back, |to| self.inner.write_labels(labels, case, to))
    }

    fn write_values(&self, values: Array3<f32>, case: &CaseProperties, output: &Path) -> Result<()> {
        self.write(case, output, write_values_back, |to| self.inner.write_values(values, case, to))
    }
}
