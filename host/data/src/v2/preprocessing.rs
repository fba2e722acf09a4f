//! Raw cases of v2 to network input, for one configuration.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nnunet_preprocessing::v2::{Recipe, class_locations, preprocess as preprocess_case};
use nnunet_preprocessing::{Resamplers, Resolved};

use super::properties::{add_class_locations, properties_to_pickle};
use super::store::{Store, remove_other_cases};
use super::{CaseFiles, DataConfiguration, PlansFile, RawDataset};
use crate::folders::copy_file;
use crate::pipeline::cache_key::{CaseFiles as Files, Key, KeyBuilder};
use crate::pipeline::parallel::{CaseStep, for_each_case};
use crate::pipeline::sizes::{f32_bytes, voxels};
use crate::pipeline::{Limits, Part};
use crate::{folders, images, records};

/// What preprocessing a configuration follows from.
#[derive(Debug)]
pub struct Job<'a> {
    /// The raw data.
    pub dataset: &'a RawDataset,
    /// The plans.
    pub plans: &'a PlansFile,
    /// The configuration.
    pub configuration: &'a DataConfiguration,
    /// The preprocessor it names, with the normalizations.
    pub preprocessor: &'a Resolved,
    /// What resamples images and labels.
    pub resamplers: &'a Resamplers,
    /// Shared libraries that preprocessor, normalizations and resamplers come from; a case is made again when they change.
    pub libraries: &'a [PathBuf],
    /// How the cases are stored.
    pub store: Store,
}

/// Preprocesses a part of the training cases into `folder`. Cases that would come out the same are kept, and the files of others
/// stay until their new ones are complete. Cases that the data set does not have are removed.
///
/// # Errors
/// Returns an error that lists all cases that cannot be preprocessed.
pub fn preprocess(job: &Job<'_>, folder: &Path, limits: Limits, part: Part) -> Result<()> {
    job.store.check_names(&job.dataset.names())?;
    part.sweep(folder)?;
    remove_other_cases(folder, &job.dataset.names())?;
    let recipe = job.recipe();
    let settings = job.settings_key(&recipe)?;
    for_each_case(&Step { job, recipe, settings, folder }, &part.of(&job.dataset.names()), limits)?;
    Ok(())
}

/// The work over all cases.
struct Step<'a> {
    job: &'a Job<'a>,
    recipe: Recipe<'a>,
    settings: String,
    folder: &'a Path,
}

impl CaseStep for Step<'_> {
    type Output = ();

    fn name(&self) -> String {
        "preprocessing".to_owned()
    }

    fn memory(&self, case: &str) -> u64 {
        self.job.dataset.case(case).map_or(0, |case| self.job.memory(&self.recipe, case))
    }

    fn run(&self, case: &str) -> Result<()> {
        let files = Files::with_key_apart(self.folder, case, self.job.store.endings())?;
        let base = self.folder.join(case).display().to_string();
        self.job.run(&self.recipe, self.job.dataset.case(case)?, (&base, &files), &self.settings)
    }
}

/// Copies the label maps of the training cases into `gt_segmentations`, where validation looks for them.
///
/// # Errors
/// Returns an I/O error.
pub fn copy_reference_labels(dataset: &RawDataset, preprocessed: &Path) -> Result<()> {
    let folder = preprocessed.join("gt_segmentations");
    folders::create(&folder)?;
    let ending = &dataset.description.file_ending;
    dataset
        .cases
        .iter()
        .try_for_each(|case| copy_file(&case.label, &folder.join(format!("{}{ending}", case.name))))
}

impl Job<'_> {
    fn recipe(&self) -> Recipe<'_> {
        let Self { plans, configuration, .. } = self;
        Recipe {
            preprocessor: self.preprocessor,
            transpose_forward: plans.transpose_forward,
            spacing: &configuration.spacing,
            schemes: &configuration.normalization_schemes,
            use_mask_for_norm: &configuration.use_mask_for_norm,
            intensities: plans.intensities(),
            resamplers: self.resamplers,
        }
    }

    /// Everything but the case that its preprocessed form follows from.
    fn settings_key(&self, recipe: &Recipe<'_>) -> Result<String> {
        let relevant = serde_json::json!({
            "store": self.store.name(),
            // Arrays are cut into blocks by the patch.
            "patch": (self.store == Store::B2nd).then_some(&self.configuration.patch_size),
            "preprocessor": self.configuration.preprocessor_name,
            "settings": recipe.preprocessor.settings,
            "reader": self.plans.reader.name(),
            "spacing": recipe.spacing,
            "transpose": recipe.transpose_forward,
            "schemes": recipe.schemes,
            "masks": recipe.use_mask_for_norm,
            "intensities": recipe.intensities,
            "resamplers": recipe.resamplers.choices,
            "classes": format!("{:?}", self.dataset.description.sampled_classes()),
        });
        let libraries = self.libraries.iter().try_fold(KeyBuilder::new(), |key, path| key.file(path))?;
        Ok(format!("v2 {relevant}{:?}", libraries.finish()))
    }

    fn run(
        &self,
        recipe: &Recipe<'_>,
        case: &CaseFiles,
        (base, to): (&str, &Files),
        settings: &str,
    ) -> Result<()> {
        let key = key(case, settings)?;
        if to.is_current(&key) {
            return Ok(());
        }
        let (cropped, properties) = self.plans.reader.read(&case.images, Some(&case.label))?.crop_or_keep();
        let arrays = preprocess_case(recipe, cropped, properties.original_spacing)?;
        let locations = class_locations(arrays.seg.view(), &self.dataset.description.sampled_classes());
        let mut kept = properties_to_pickle(&properties, recipe.transpose_forward, self.plans.reader)?;
        add_class_locations(&mut kept, &locations);
        to.begin(&key)?;
        self.store.save(base, arrays.data.view(), arrays.seg.view(), &self.configuration.patch_size)?;
        records::save(&to.pkl, &kept)
    }

    /// The raw case and its crop, the resampled form with as much again for the passes over it, and positions of
    /// foreground voxels.
    fn memory(&self, recipe: &Recipe<'_>, case: &CaseFiles) -> u64 {
        images::read_geometry(&case.label).map_or(0, |geometry| {
            let geometry = self.plans.reader.geometry(&geometry);
            let channels = recipe.schemes.len() as u64;
            let order = recipe.transpose_forward;
            let (size, spacing) = (geometry.size_zyx(), geometry.spacing_zyx());
            let after = recipe.shape(order.map(|axis| size[axis]), order.map(|axis| spacing[axis]));
            let (before, after) = (voxels(size), voxels(after));
            f32_bytes(before) * 2 * (channels + 1)
                + f32_bytes(after) * (channels + 4)
                + f32_bytes(before.max(after)) * 2
        })
    }
}

fn key(case: &CaseFiles, settings: &str) -> Result<Key> {
    let inputs = case.images.iter().chain([&case.label]);
    let key = inputs.clone().try_fold(KeyBuilder::new(), |key, path| key.file(path))?;
    let names = inputs.map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
    Ok(key.text(&names).text(settings).finish())
}
