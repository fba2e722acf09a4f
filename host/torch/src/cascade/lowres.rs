//! Prediction with a cascade: the first stage first, or its label maps from a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::{Array4, ArrayView4};
use nnunet_cli::commands::postprocessing_choice::PostprocessingChoice;
use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;
use nnunet_formats::nifti;
use nnunet_numerics::resize_labels;
use nnunet_plugin_api::vocabulary::{CaseProperties, Plans};

use super::network_input;

/// The configuration of the first stage.
const FIRST: &str = "3d_lowres";

/// Where label maps of the first stage are: in the folder named with -l, or where [`first_stage`] puts them.
pub(crate) fn folder(args: &Args, first: &str) -> PathBuf {
    args.lowres.clone().unwrap_or_else(|| args.output.join(format!("{first}_predictions")))
}

/// The arguments that predict the first stage, without what names its model.
///
/// # Errors
/// A job split into parts, which would predict the first stage several times.
pub(crate) fn first_stage(args: &Args, first: &str) -> Result<Args> {
    ensure!(
        args.num_parts == 1,
        "a cascade in parts needs the label maps of {first}: predict them first, then name their folder with -l"
    );
    report::line(&format!(
        "predicting with {first} first; name a folder of its label maps with -l to skip this"
    ));
    Ok(Args {
        output: folder(args, first),
        save_npz: false,
        overlay: false,
        postprocessing: PostprocessingChoice::models_own(),
        checkpoint: None,
        ..args.clone()
    })
}

/// The arguments that predict the first stage, when the second one is asked for without its label maps.
///
/// # Errors
/// A job split into parts.
pub(crate) fn predict_first(args: &Args) -> Result<Option<Args>> {
    let by_folder = args.model_folder.is_some() || args.dataset.is_some();
    if args.model != super::CONFIGURATION || by_folder || args.lowres.is_some() {
        return Ok(None);
    }
    Ok(Some(Args { model: FIRST.to_owned(), ..first_stage(args, FIRST)? }))
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
        let folder = folder(args, FIRST);
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
