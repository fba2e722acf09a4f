//! What differs between the models of v1 and v2.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ndarray::{Array3, Array4};
use nnunet_formats::pickle::Value;
use nnunet_inference::{Heads, WayBack};
use nnunet_plugin_api::vocabulary::CaseProperties;

/// A case to predict.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// One file a channel.
    pub(crate) images: Vec<PathBuf>,
    /// The label map to write.
    pub(crate) output: PathBuf,
}

impl Case {
    /// A file beside the label map.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        self.output.with_file_name(format!("{}{ending}", self.name))
    }

    /// The picture of both, which is never the label map.
    pub(crate) fn overlay(&self) -> PathBuf {
        let picture = self.beside(".png");
        if picture == self.output { self.beside("_overlay.png") } else { picture }
    }
}

/// What the network sees of a case, and what leads back.
pub(crate) struct Prepared {
    /// (channels, z, y, x), in transposed order.
    pub(crate) image: Array4<f32>,
    pub(crate) properties: CaseProperties,
    pub(crate) way: WayBack,
}

/// How probabilities are kept beside label maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// v1: `softmax`, half precision, of the cropped case.
    Cropped,
    /// v2: `probabilities`, single precision, of the raw image; outside of the crop it is background.
    Raw,
}

/// How labels come to the cropped grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resampled {
    /// Scores are resampled.
    Scores,
    /// Labels are, as scores would be or by the nearest voxel.
    Labels { nearest: bool },
}

/// A model's ways before and after its networks. Networks stay on one thread; everything here may run on several.
pub(crate) trait Method: Sync {
    /// What the outputs mean.
    fn heads(&self) -> &Heads;

    /// What is resampled.
    fn resampled(&self) -> Resampled;

    /// Whether probabilities are kept, and how.
    fn keep(&self) -> Option<Keep>;

    /// Reads and preprocesses a case.
    fn prepare(&self, case: &Case) -> Result<Prepared>;

    /// What is done to scores, (classes, z, y, x), on the cropped grid before they become labels; `resampled` says
    /// whether they come from another grid.
    fn finish(&self, scores: &mut Array4<f32>, resampled: bool);

    /// The properties kept beside probabilities.
    fn properties(&self, case: &CaseProperties) -> Result<Value>;

    /// Writes labels of the cropped case.
    fn write(&self, labels: Array3<u8>, case: &CaseProperties, output: &Path) -> Result<()>;
}
