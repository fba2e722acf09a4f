//! Prediction with a v1 cascade: the label maps of 3d_lowres.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, ArrayView4};
use nnunet_cli::commands::predict::Args;
use nnunet_formats::nifti;
use nnunet_numerics::resize_labels;
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans};

use super::second_stage;
use crate::cascade::{self, network_input};
use crate::case::Case;

/// The configuration of the first stage.
const FIRST: &str = "3d_lowres";

/// The arguments that predict 3d_lowres, when the second stage is asked for by task without a folder of label maps.
///
/// # Errors
/// Returns an error for a job split into parts.
pub(crate) fn first_stage(args: &Args) -> Result<Option<Args>> {
    let by_folder = args.model_folder.is_some() || args.dataset.is_some();
    if args.model != second_stage::CONFIGURATION || by_folder || args.lowres.is_some() {
        return Ok(None);
    }
    Ok(Some(Args { model: FIRST.to_owned(), ..cascade::first_stage(args, FIRST)? }))
}

/// Label maps of the first stage.
pub(crate) struct LowResolution {
    folder: PathBuf,
}

impl LowResolution {
    /// The folder named with -l, or the one that [`first_stage`] fills.
    ///
    /// # Errors
    /// Returns an error if the folder does not exist.
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let folder = cascade::folder(args, FIRST);
        ensure!(
            folder.is_dir(),
            "the cascade needs label maps of 3d_lowres; there is no folder {}: name one with -l",
            folder.display()
        );
        Ok(Self { folder })
    }

    /// Appends a case's label map to its preprocessed image. As in v1 the map is not cropped first.
    ///
    /// # Errors
    /// Returns an error if the map is missing, or has another size than the image.
    pub(crate) fn append(
        &self,
        which: &Case,
        image: ArrayView4<'_, f32>,
        case: &CaseProperties,
        plans: &Plans,
    ) -> Result<Array4<f32>> {
        let path = self.folder.join(which.output_name());
        ensure!(path.is_file(), "there is no label map {} of 3d_lowres", path.display());
        let labels = nifti::read(&path).with_context(|| path.display().to_string())?.data;
        self.check(&path, labels.shape(), case)?;
        let labels = labels.permuted_axes(plans.transpose_forward);
        let (_, z, y, x) = image.dim();
        network_input(image, &resize_labels(labels.view(), [z, y, x], 1), plans.num_classes)
    }

    fn check(&self, path: &Path, shape: &[usize], case: &CaseProperties) -> Result<()> {
        ensure!(
            shape == case.original_size_of_raw_data,
            "{} has the size {shape:?}, its image {:?} (z, y, x)",
            path.display(),
            case.original_size_of_raw_data
        );
        Ok(())
    }
}
