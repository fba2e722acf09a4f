//! Cascades of both families: the first stage's label maps become input channels of the second.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use ndarray::{Array3, Array4, ArrayView4, Axis, concatenate};
use nnunet_augmentation::one_hot;
use nnunet_cli::commands::postprocessing_choice::PostprocessingChoice;
use nnunet_cli::commands::predict::Args;
use nnunet_cli::report;

/// Where label maps of the first stage are: in the folder named with -l, or where [`first_stage`] writes them.
pub(crate) fn folder(args: &Args, first: &str) -> PathBuf {
    args.lowres.clone().unwrap_or_else(|| args.output.join(format!("{first}_predictions")))
}

/// The arguments that predict the first stage, but for those that name its model.
///
/// # Errors
/// Returns an error for a job split into parts, which would predict the first stage several times.
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
        label_tables: false,
        postprocessing: PostprocessingChoice::models_own(),
        checkpoint: None,
        ..args.clone()
    })
}

/// The network's input: image channels, then one channel per label of the first stage.
///
/// # Errors
/// Returns an error if the label map has another size than the image.
pub(crate) fn network_input(
    image: ArrayView4<'_, f32>,
    labels: &Array3<f32>,
    num_labels: usize,
) -> Result<Array4<f32>> {
    Ok(concatenate(Axis(0), &[image, one_hot(labels.view(), num_labels).view()])?)
}
