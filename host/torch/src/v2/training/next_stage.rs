//! The next stages of a cascade: label maps on their grids, which become channels of their networks' input.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use ndarray::{Array3, Array4, Axis, concatenate};
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_data::v2::{self, load_labels, save_labels};
use nnunet_inference::{SegmentationHeads, from_tensor, sigmoid};
use nnunet_plugin_api::GridChange;
use nnunet_plugin_api::tch::Tensor;

use super::job::{Job, NEXT_STAGE};
use crate::cascade::network_input;

/// The configurations that follow on this one.
pub(super) struct NextStages<'a> {
    job: &'a Job<'a>,
    stages: Vec<NextStage>,
}

/// One of them.
struct NextStage {
    name: String,
    /// Its preprocessed cases.
    data: PathBuf,
    /// Where its previous stage's labels are written.
    output: PathBuf,
}

/// Scores of a case, kept where there is a next stage.
pub(super) struct KeptScores(Option<Vec<Array4<f32>>>);

impl KeptScores {
    /// The next rows.
    pub(super) fn push(&mut self, rows: &Tensor) -> nnunet_plugin_api::Result<()> {
        if let Some(parts) = &mut self.0 {
            parts.push(from_tensor(rows)?);
        }
        Ok(())
    }
}

impl<'a> NextStages<'a> {
    pub(super) fn new(job: &'a Job<'_>) -> Result<Self> {
        let stage = |name: &String| -> Result<NextStage> {
            let output = job.settings.model.join(NEXT_STAGE).join(name);
            folders::create(&output)?;
            let data = job.preprocessed.join(job.plans.data_identifier(name)?);
            Ok(NextStage { name: name.clone(), data, output })
        };
        let stages = job.configuration.next_stages().iter().map(stage).collect::<Result<_>>()?;
        Ok(Self { job, stages })
    }

    /// Where scores of a case are collected.
    pub(super) fn scores(&self) -> KeptScores {
        KeptScores((!self.stages.is_empty()).then(Vec::new))
    }

    fn labels(&self, mut scores: Array4<f32>) -> Array3<u16> {
        if matches!(self.job.heads, SegmentationHeads::Regions(_)) {
            sigmoid(&mut scores);
        }
        self.job.heads.labels(scores.view())
    }

    /// Writes a case's labels for every next stage; one that is not preprocessed is passed over, as in v2.
    pub(super) fn write(&self, name: &str, scores: KeptScores) -> Result<()> {
        let Some(parts) = scores.0 else { return Ok(()) };
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let scores = concatenate(Axis(1), &views)?;
        for stage in &self.stages {
            let Some(shape) = v2::stored_shape(&stage.data, name)? else {
                report::line(&format!(
                    "Predicting next stage {} failed for case {name} because the preprocessed file is missing! Run the \
                     preprocessing for this configuration first!",
                    stage.name
                ));
                continue;
            };
            // v2 resamples as if both grids had this configuration's spacing.
            let configuration = &self.job.configuration;
            let spacing = configuration.target([1.0; 3]);
            let change = GridChange { shape, from: spacing, to: spacing };
            let labels = self.labels(self.job.resampling.scores_to(scores.view(), &change)?);
            save_labels(&stage.output, name, labels.view(), (&configuration.patch_size, &stage.data))?;
        }
        Ok(())
    }
}

/// The network's input: an image, and a channel for each label that the previous stage has found.
pub(super) fn with_previous(
    image: Array4<f32>,
    folder: &Path,
    name: &str,
    labels: usize,
) -> Result<Array4<f32>> {
    let previous = load_labels(folder, name)?;
    let (_, z, y, x) = image.dim();
    ensure!(
        previous.dim() == (z, y, x),
        "{}: the previous stage's labels of {name} have another size than the case",
        folder.display()
    );
    network_input(image.view(), &previous, labels)
}
