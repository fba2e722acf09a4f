//! Predictions of several v2 models merged: the mean of their probabilities (`nnUNetv2_ensemble`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use nnunet_export::SegmentationHeads;
use nnunet_formats::{npz, pickle};
use serde::Deserialize;

use super::{Dataset, Reader, is_wide, load};
use crate::folders::copy_file;
use crate::records;
use crate::selection::mean;

/// What v2's predictions of a folder have in common.
#[derive(Debug)]
pub struct Ensemble {
    reader: Reader,
    heads: SegmentationHeads,
    /// Of label maps.
    pub file_ending: String,
}

#[derive(Deserialize)]
struct Plans {
    #[serde(default)]
    image_reader_writer: Reader,
}

impl Ensemble {
    /// By the `dataset.json` and `plans.json` that prediction left in the first folder; both are copied to `output`.
    ///
    /// # Errors
    /// As [`Dataset::load`] and [`Dataset::heads`].
    pub fn new(first: &Path, output: &Path) -> Result<Self> {
        let dataset = Dataset::load(first)?;
        let plans: Plans = load(&first.join("plans.json"))?;
        for name in ["plans.json", "dataset.json"] {
            copy_file(&first.join(name), &output.join(name))?;
        }
        let heads = dataset.heads().with_context(|| first.join("dataset.json").display().to_string())?;
        Ok(Self { reader: plans.image_reader_writer, heads, file_ending: dataset.file_ending })
    }

    /// Writes the label map of the mean probabilities of a case, and those too if they are wanted.
    ///
    /// # Errors
    /// Returns an error for files that are missing, unreadable, or of different sizes.
    pub fn merge(&self, sources: &[PathBuf], output: &Path, save_npz: bool) -> Result<()> {
        let mean = mean(sources, "probabilities")?;
        let (found, heads) = (mean.dim().0, self.heads.count());
        ensure!(found == heads, "there are {found} classes in the probabilities and {heads} in dataset.json");
        let pkl = sources.first().context("nothing to merge")?.with_extension("pkl");
        let kept = pickle::load(&pkl)?;
        let written = if is_wide(&self.heads) {
            self.reader.write_kept(output, self.heads.labels::<u16>(mean.view()).view(), &kept)
        } else {
            self.reader.write_kept(output, self.heads.labels::<u8>(mean.view()).view(), &kept)
        };
        written.with_context(|| pkl.display().to_string())?;
        if save_npz {
            let name = output.display().to_string();
            let base = name.strip_suffix(&self.file_ending).unwrap_or(&name);
            npz::save_f32(Path::new(&format!("{base}.npz")), "probabilities", mean.view())?;
            records::save(Path::new(&format!("{base}.pkl")), &kept)?;
        }
        Ok(())
    }
}
