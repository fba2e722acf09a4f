//! The whole of planning: target spacing, axis order, and the configurations that make sense for the data set.

use nnunet_numerics::stats::round_half_even;
use nnunet_plugin_core::vocabulary::Fingerprint as FingerprintV1;
use nnunet_plugin_core::{Error, PlannerSettings, Result, V2PlannerSettings};
use serde_json::{Map, Value};

use super::configuration::{Frame, configuration};
use super::document::{Configuration, ConfigurationEntry, Fingerprint, Inherited, Plans};
use super::patch::{Grid, plan};
use super::planners::class_name;
use super::spacing::{median_shape, median_size, median_spacing, target_spacing};
use crate::grid::voxels;
use crate::{Resolved, permute, transposes};

/// Share of the raw volume left after cropping below which intensities are normalized inside the mask.
const MASK_NORM_REDUCTION: f64 = 0.75;
/// A low resolution has less than half of the voxels.
const LOWRES_REDUCTION: f64 = 2.0;
/// Spacings further apart than this grow alone.
const SIMILAR_SPACING: f64 = 2.0;

/// What planning uses of `dataset.json` and the images.
#[derive(Debug, Clone)]
pub struct DataSet {
    /// Folder name, `Dataset004_Hippocampus`.
    pub name: String,
    /// Channel names by number.
    pub channel_names: Vec<String>,
    /// Names under `labels`, background and `ignore` among them.
    pub labels: usize,
    /// `numTraining`.
    pub training_cases: usize,
    /// Class that reads the images.
    pub reader: String,
}

/// Plans for a data set of v2.
///
/// # Errors
/// Returns an error if the planner is for tasks of v1, if no patch can be planned, or the error of a hook.
pub fn make_plans(planner: &Resolved, data: &DataSet, fingerprint: &Fingerprint) -> Result<Plans> {
    let name = planner.names.last().map_or("", String::as_str);
    let mut settings = planner.settings.v2.clone().ok_or_else(|| {
        Error::message(format!("planner {name} plans tasks of v1; planners for v2 extend nnUNetPlanner"))
    })?;
    check_unused(name, &planner.settings)?;
    if settings.target_spacing.is_none() {
        settings.target_spacing = planner.target_spacing(&as_v1(data, fingerprint))?;
    }
    let spacing = target_spacing(&settings, fingerprint);
    let identity = ([0, 1, 2], [0, 1, 2]);
    let (forward, backward) = if settings.keep_axis_order { identity } else { transposes(spacing) };
    let task = Task {
        settings: &settings,
        data,
        spacing: permute(spacing, forward),
        median: permute(median_shape(fingerprint, spacing), forward),
        schemes: schemes(&settings, data),
        masks: masks(&settings, data, fingerprint),
    };
    Ok(Plans {
        dataset_name: data.name.clone(),
        plans_name: settings.plans_identifier.clone(),
        original_median_spacing_after_transp: permute(median_spacing(&fingerprint.spacings), forward),
        original_median_shape_after_transp: permute(median_size(&fingerprint.shapes), forward)
            .map(|len| round_half_even(len) as usize),
        image_reader_writer: data.reader.clone(),
        transpose_forward: forward,
        transpose_backward: backward,
        configurations: task.configurations()?,
        experiment_planner_used: class_name(name).to_owned(),
        label_manager: "LabelManager".to_owned(),
        foreground_intensity_properties_per_channel: fingerprint.intensities.clone(),
    })
}

/// Refuses values outside of the table `v2` that no planner of v2 looks at: who sets one expects an effect.
fn check_unused(name: &str, settings: &PlannerSettings) -> Result<()> {
    let used =
        |settings: &PlannerSettings| PlannerSettings { v2: None, target_spacing: None, ..settings.clone() };
    let json =
        |settings| serde_json::to_value(used(settings)).map_err(|error| Error::message(error.to_string()));
    let (default, own) = (json(&PlannerSettings::default())?, json(settings)?);
    let own = own.as_object().into_iter().flatten();
    let changed: Vec<&str> =
        own.filter(|(key, value)| default.get(key) != Some(value)).map(|(key, _)| key.as_str()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let keys = changed.join(", ");
    Err(Error::message(format!(
        "planner {name} changes {keys}, which only v1's planners use; the settings of v2 are in its table `v2`"
    )))
}

/// What the hooks of planners see.
fn as_v1(data: &DataSet, fingerprint: &Fingerprint) -> FingerprintV1 {
    FingerprintV1 {
        all_sizes: fingerprint.shapes.clone(),
        all_spacings: fingerprint.spacings.clone(),
        modalities: data.channel_names.clone(),
        ..FingerprintV1::default()
    }
}

/// The class of a channel's normalization by its name.
fn schemes(settings: &V2PlannerSettings, data: &DataSet) -> Vec<String> {
    let by_name = |name: &String| match name.to_lowercase().as_str() {
        "ct" => "CTNormalization",
        "nonorm" => "NoNormalization",
        "rescale_to_0_1" => "RescaleTo01Normalization",
        "rgb_to_0_1" => "RGBTo01Normalization",
        _ => Z_SCORE,
    };
    let of = |name: &String| settings.normalization.clone().unwrap_or_else(|| by_name(name).to_owned());
    data.channel_names.iter().map(of).collect()
}

/// The only normalization that looks at the mask.
const Z_SCORE: &str = "ZScoreNormalization";

fn masks(settings: &V2PlannerSettings, data: &DataSet, fingerprint: &Fingerprint) -> Vec<bool> {
    let cropped = fingerprint.relative_size < MASK_NORM_REDUCTION;
    schemes(settings, data).iter().map(|scheme| cropped && scheme == Z_SCORE).collect()
}

/// A data set under planning; spacing and median are in transposed order.
struct Task<'a> {
    settings: &'a V2PlannerSettings,
    data: &'a DataSet,
    spacing: [f64; 3],
    median: [f64; 3],
    schemes: Vec<String>,
    masks: Vec<bool>,
}

impl Task<'_> {
    fn configurations(&self) -> Result<Map<String, Value>> {
        let is_3d = self.median[0] != 1.0;
        let full = if is_3d { Some(self.full_resolution()?) } else { None };
        let low = match &full {
            Some(full) => self.low_resolution(full)?,
            None => None,
        };
        let mut slices =
            self.plan("2d", &self.spacing[1..], &self.median[1..], floats(&self.median[1..]), None)?;
        slices.batch_dice = true;
        let mut all = vec![("2d", ConfigurationEntry::Full(Box::new(slices)))];
        let is_cascade = low.is_some();
        if let Some(mut low) = low {
            low.next_stage = Some("3d_cascade_fullres".to_owned());
            all.push(("3d_lowres", ConfigurationEntry::Full(Box::new(low))));
        }
        if let Some(mut full) = full {
            full.batch_dice = is_cascade;
            all.push(("3d_fullres", ConfigurationEntry::Full(Box::new(full))));
        }
        if is_cascade {
            let second = Inherited { inherits_from: "3d_fullres".into(), previous_stage: "3d_lowres".into() };
            all.push(("3d_cascade_fullres", ConfigurationEntry::Inherited(second)));
        }
        let entry = |(name, value): (&str, ConfigurationEntry)| {
            let value = serde_json::to_value(value).map_err(|error| Error::message(error.to_string()))?;
            Ok((name.to_owned(), value))
        };
        all.into_iter().map(entry).collect()
    }

    fn full_resolution(&self) -> Result<Configuration> {
        self.plan("3d_fullres", &self.spacing, &self.median, floats(&self.median), None)
    }

    /// Coarser and coarser until a patch covers enough of the median case; none when that is so at once, or when the
    /// result is hardly smaller.
    fn low_resolution(&self, full: &Configuration) -> Result<Option<Configuration>> {
        let all: f64 = self.median.iter().product();
        let (mut spacing, mut found) = (self.spacing, None);
        let (mut patch, mut total) = (voxels(&full.patch_size), all);
        while patch / total < self.settings.lowres_threshold {
            let coarsest = spacing.iter().copied().fold(0.0, f64::max);
            let is_fine = |mm: f64| coarsest / mm > SIMILAR_SPACING;
            let only_fine = spacing.iter().any(|mm| is_fine(*mm));
            spacing =
                spacing.map(|mm| if is_fine(mm) || !only_fine { mm * self.settings.lowres_step } else { mm });
            let size = [0, 1, 2].map(|axis| self.spacing[axis] / spacing[axis] * self.median[axis]);
            total = size.iter().product();
            let rounded = size.map(round_half_even);
            let whole = rounded.iter().map(|len| Value::from(*len as u64)).collect();
            let low = self.plan("3d_lowres", &spacing, &rounded, whole, Some(total))?;
            patch = voxels(&low.patch_size);
            found = Some(low);
        }
        Ok(found.filter(|_| all / total >= LOWRES_REDUCTION))
    }

    /// One configuration. `total` are the voxels of the median case at this resolution, when it is not the full one.
    fn plan(
        &self,
        name: &str,
        spacing: &[f64],
        median: &[f64],
        written: Vec<Value>,
        total: Option<f64>,
    ) -> Result<Configuration> {
        let case = total.unwrap_or_else(|| self.median.iter().product());
        let grid = Grid {
            spacing,
            median,
            dataset_voxels: case * self.data.training_cases as f64,
            labels: self.data.labels,
        };
        let patch = plan(self.settings, &grid).map_err(|error| error.within(name))?;
        let frame = Frame {
            name,
            plans_name: &self.settings.plans_identifier,
            spacing,
            median: written,
            normalization_schemes: &self.schemes,
            use_mask_for_norm: &self.masks,
        };
        Ok(configuration(self.settings, frame, patch))
    }
}

fn floats(values: &[f64]) -> Vec<Value> {
    values.iter().map(|value| Value::from(*value)).collect()
}
