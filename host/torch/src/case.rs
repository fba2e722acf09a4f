//! The data of a case during prediction.

use std::path::{Path, PathBuf};

use ndarray::Array4;
use nnunet_inference::ExportResampler;
use nnunet_plugin_api::vocabulary::CaseProperties;

/// A case to predict.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// One file per channel.
    pub(crate) images: Vec<PathBuf>,
    /// The label map to write.
    pub(crate) output: PathBuf,
}

impl Case {
    /// A file of this case beside the label map.
    pub(crate) fn beside(&self, ending: &str) -> PathBuf {
        self.output.with_file_name(format!("{}{ending}", self.name))
    }

    /// The overlay picture; its path always differs from the label map's.
    pub(crate) fn overlay(&self) -> PathBuf {
        let picture = self.beside(".png");
        if picture == self.output { self.beside("_overlay.png") } else { picture }
    }

    /// The name of the label map's file.
    pub(crate) fn output_name(&self) -> &Path {
        Path::new(self.output.file_name().unwrap_or_default())
    }
}

/// A preprocessed case.
pub(crate) struct PreparedCase {
    /// The network's input: (channels, z, y, x), in transposed order.
    pub(crate) image: Array4<f32>,
    pub(crate) properties: CaseProperties,
    /// Resamples scores to the grid of the cropped case.
    pub(crate) resampler: ExportResampler,
}

/// How image files are named, and the label maps written for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileNaming {
    /// Image files per case.
    pub(crate) files_per_case: usize,
    /// None: whatever images the folder holds.
    pub(crate) input_ending: Option<String>,
    pub(crate) output_ending: String,
}

/// How probabilities are kept beside label maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbabilityFormat {
    /// v1: array `softmax`, half precision, of the cropped case.
    Cropped,
    /// v2: array `probabilities`, single precision, of the whole image; background outside of the crop.
    WholeImage,
}

/// What is resampled to the grid of the cropped case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResampledData {
    /// Scores; labels are taken from them afterwards.
    Scores,
    /// The label map of the network's grid: by linear weights, or by nearest neighbor.
    Labels { nearest: bool },
}
