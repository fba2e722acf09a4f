//! Label maps for the second stage of a cascade: of every case, predicted by the fold that did not train on it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ndarray::{Axis, concatenate, s};
use nnunet_cli::report;
use nnunet_data::folders;
use nnunet_data::records::listed_splits;
use nnunet_engine::session::Session;
use nnunet_formats::npz;
use nnunet_inference::{SlidingWindow, Storage, from_tensor, labels_of, predict_rows, to_tensor};
use nnunet_numerics::{Resampling, resample};
use nnunet_plugin_api::Network;
use nnunet_plugin_api::tch::Device;
use nnunet_plugin_api::vocabulary::Precision;

use super::model::Model;
use super::second_stage::{FOLDER, file};
use super::{FINAL_CHECKPOINT, preprocessed_cases, splits};

/// v1 resizes probabilities linearly, never with an axis on its own.
const RESIZE: Resampling = Resampling { order: 1, order_z: 0, separate: None };

/// A trained first stage and where the cases of both stages lie.
pub(crate) struct NextStage<'a> {
    pub(crate) network: &'a dyn Network,
    pub(crate) window: &'a SlidingWindow,
    /// Preprocessed cases of the first stage.
    pub(crate) data: &'a Path,
    /// Preprocessed cases of the second stage.
    pub(crate) next_data: &'a Path,
    pub(crate) output: &'a Path,
}

impl NextStage<'_> {
    /// Writes `<case>_segFromPrevStage.npz` of every case, as v1 does after the validation of 3d_lowres.
    pub(crate) fn predict(&self, cases: &[String]) -> Result<()> {
        folders::create(self.output)?;
        let bar = report::bar(cases.len(), "predicting for the next stage");
        for case in cases {
            self.predict_case(case).with_context(|| format!("{case} for the next stage"))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn predict_case(&self, case: &str) -> Result<()> {
        let array = preprocessed_cases::load(self.data, case)?;
        let channels = array.dim().0 - 1;
        let image = array.slice_move(s![..channels, .., .., ..]);
        let mut parts = Vec::new();
        predict_rows(&[self.network], &to_tensor(image.view())?, self.window, &mut |_, rows| {
            parts.push(from_tensor(&rows)?);
            Ok(())
        })?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let probabilities = concatenate(Axis(1), &views)?;
        let shape = preprocessed_cases::properties(self.next_data, case)?.size_after_resampling;
        let shape = shape.with_context(|| format!("{case}.pkl does not say its size; preprocess again"))?;
        let probabilities = resample(probabilities.view(), shape, RESIZE);
        Ok(npz::save_u8(&file(self.output, case), "data", labels_of(probabilities.view()).view())?)
    }
}

/// Cases of a second stage, and the first stage's model that predicts them.
pub(crate) struct Missing<'a> {
    pub(crate) session: &'a Session,
    /// The first stage's model folder.
    pub(crate) model: &'a Path,
    /// The task's preprocessed folder.
    pub(crate) preprocessed: &'a Path,
    /// Preprocessed cases of the first and the second stage.
    pub(crate) data: [PathBuf; 2],
    /// Where the first stage runs.
    pub(crate) device: Device,
}

impl Missing<'_> {
    /// Predicts those of `cases` that are not there, each with the fold that left it out.
    ///
    /// # Errors
    /// Returns an error that names the folds that have to be trained first.
    pub(crate) fn make(&self, cases: &[String]) -> Result<()> {
        let folder = self.model.join(FOLDER);
        let missing: Vec<&String> = cases.iter().filter(|case| !file(&folder, case).is_file()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut untrained = Vec::new();
        let mut work = Vec::new();
        let names = preprocessed_cases::names(&self.data[0])?;
        for fold in 0..listed_splits(self.preprocessed)?.len() {
            let left_out = splits::split(self.preprocessed, &names, &fold.to_string())?.val;
            let mine: Vec<String> = left_out.into_iter().filter(|case| missing.contains(&case)).collect();
            let checkpoint = self.model.join(format!("fold_{fold}/{FINAL_CHECKPOINT}.model"));
            match (mine.is_empty(), checkpoint.is_file()) {
                (true, _) => {}
                (false, true) => work.push((fold, mine)),
                (false, false) => untrained.push(fold.to_string()),
            }
        }
        if !untrained.is_empty() {
            bail!(
                "{} cases have no prediction of 3d_lowres in {}: train 3d_lowres with fold {} first (folder {})",
                missing.len(),
                folder.display(),
                untrained.join(", "),
                self.model.display()
            );
        }
        work.iter().try_for_each(|(fold, cases)| self.predict(*fold, cases, &folder))
    }

    fn predict(&self, fold: usize, cases: &[String], output: &Path) -> Result<()> {
        report::line(&format!("predicting {} cases with fold {fold} of 3d_lowres", cases.len()));
        let folds = [fold.to_string()];
        let model = Model::load(self.model, &folds, FINAL_CHECKPOINT, self.device, self.session)?;
        let mut window = model.window(0.5, true, Precision::Auto);
        if window.device != Device::Cpu {
            // As much as fits: what does not is done in smaller parts, or in main memory.
            window.batch = 1 << window.mirror_axes.len();
            window.sums = Storage::Device(window.device);
        }
        let [data, next_data] = &self.data;
        NextStage { network: &*model.networks[0], window: &window, data, next_data, output }.predict(cases)
    }
}
