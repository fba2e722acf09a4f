//! The second stage of v1's cascade, 3d_cascade_fullres: its network gets the labels that 3d_lowres predicted as further
//! input channels.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::Array3;
use nnunet_formats::npz;

/// The configuration of the second stage.
pub(crate) const CONFIGURATION: &str = "3d_cascade_fullres";
/// v1's trainer of the second stage, the root of all others.
pub(crate) const TRAINER: &str = "nnUNetTrainerV2CascadeFullRes";
/// Folder in the first stage's model folder.
pub(crate) const FOLDER: &str = "pred_next_stage";

/// Whether a v1 class is a trainer of the second stage: its network has further input channels.
pub(crate) fn is_second_stage(v1_trainer: &str) -> bool {
    v1_trainer.starts_with(TRAINER)
}

/// v1's name of a case's labels for the next stage, without ending.
pub(crate) fn stem(case: &str) -> String {
    format!("{case}_segFromPrevStage")
}

/// The file of a case's labels for the next stage.
pub(crate) fn file(folder: &Path, case: &str) -> PathBuf {
    folder.join(format!("{}.npz", stem(case)))
}

/// The previous stage's labels of a preprocessed case, (z, y, x).
pub(crate) fn load(folder: &Path, case: &str) -> Result<Array3<u8>> {
    let path = file(folder, case);
    let member = npz::load(&path, "data")?;
    let shape: [usize; 3] = member.header.shape.as_slice().try_into().with_context(|| {
        format!("{}: not an array of three axes; remove the file, it is made again", path.display())
    })?;
    ensure!(
        member.data.len() == shape.iter().product::<usize>(),
        "{}: not an array of bytes; remove the file, it is made again",
        path.display()
    );
    Ok(Array3::from_shape_vec(shape, member.data)?)
}
