//! Prediction with a cascade: the first stage first, or its label maps from a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, ArrayView4};
use nnunet_formats::nifti;
use nnunet_host::commands::predict::Args;
use nnunet_host::report;
use nnunet_numerics::resize_labels;
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans};

use super::network_input;

/// Where predictions of the first stage go when they are not given.
const FOLDER: &str = "3d_lowres_predictions";

/// The arguments that predict the first stage, when the second one is asked for without its label maps.
///
/// # Errors
/// A job split into parts, which would predict the first stage several times.
pub(crate) fn predict_first(args: &Args) -> Result<Option<Args>> {
    let by_folder = args.model_folder.is_some() || args.dataset.is_some();
    if args.model != super::CONFIGURATION || by_folder || args.lowres.is_some() {
        return Ok(None);
    }
    ensure!(
        args.num_parts == 1,
        "a cascade in parts needs the label maps of 3d_lowres: predict them first, then name their folder with -l"
    );
    report::line("predicting with 3d_lowres first; name a folder of its label maps with -l to skip this");
    let mut first = args.clone();
    "3d_lowres".clone_into(&mut first.model);
    first.output = args.output.join(FOLDER);
    first.save_npz = false;
    first.overlay = false;
    first.postprocessing = Default::default();
    first.checkpoint = None;
    Ok(Some(first))
}

/// Label maps of the first stage.
pub(crate) struct LowResolution {
    folder: PathBuf,
}

impl LowResolution {
    /// The folder named with -l, or the one [`predict_first`] fills.
    ///
    /// # Errors
    /// A folder that does not exist.
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let folder = args.lowres.clone().unwrap_or_else(|| args.output.join(FOLDER));
        ensure!(
            folder.is_dir(),
            "the cascade needs label maps of 3d_lowres; there is no folder {}: name one with -l",
            folder.display()
        );
        Ok(Self { folder })
    }

    /// Appends the label map of the name of `output` to a preprocessed image. As in v1 the map is not cropped first.
    ///
    /// # Errors
    /// A missing map, or one of another size than the image.
    pub(crate) fn append(
        &self,
        output: &Path,
        image: ArrayView4<'_, f32>,
        case: &CaseProperties,
        plans: &Plans,
    ) -> Result<Array4<f32>> {
        let path = self.folder.join(output.file_name().unwrap_or_default());
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
