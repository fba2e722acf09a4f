//! The Dice of every label by epoch: for the log, TensorBoard, and the curves of `progress.png`.

use std::path::{Path, PathBuf};

use nnunet_data::folders::file_names;
use nnunet_data::label_names::LabelNames;
use nnunet_plugin_api::vocabulary::Regions;
use nnunet_training::{Engine, EpochOutcome};
use serde_json::{Map, Value, json};

/// The key of an epoch's values in `training_log_*.jsonl`.
pub(super) const KEY: &str = "dice_by_label";

/// Names of the labels, or regions, and their values in the epochs so far.
pub(super) struct LabelDice {
    names: Vec<String>,
    /// By label, then by epoch; NaN where the label did not occur.
    values: Vec<Vec<f64>>,
}

impl LabelDice {
    /// Of a training. The values of one that continues are read from the logs in its folder.
    pub(super) fn new(engine: &Engine, known: &LabelNames, output: &Path) -> Self {
        let regions = engine.trainer.blueprint.regions.as_ref();
        Self::of(engine.dice_classes(), regions, known, output, engine.epoch)
    }

    fn of(
        classes: usize,
        regions: Option<&Regions>,
        known: &LabelNames,
        output: &Path,
        epoch: usize,
    ) -> Self {
        let name = |class: usize| match regions.and_then(|all| all.regions.get(class - 1)) {
            Some(region) => region.name.clone(),
            None => known.shown(&class.to_string()),
        };
        let mut all =
            Self { names: (1..=classes).map(name).collect(), values: vec![vec![f64::NAN; epoch]; classes] };
        logs(output).iter().for_each(|log| all.read(log, epoch));
        all
    }

    /// Takes the values of a log; those of a later log replace those of an earlier one.
    fn read(&mut self, log: &Path, epochs: usize) {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for line in lines.filter(|line| line["event"] == "epoch") {
            let epoch = line["epoch"].as_u64().and_then(|epoch| usize::try_from(epoch).ok());
            let Some(epoch) = epoch.filter(|epoch| *epoch < epochs) else { continue };
            for (label, values) in self.values.iter_mut().enumerate() {
                values[epoch] = line[KEY][(label + 1).to_string()].as_f64().unwrap_or(f64::NAN);
            }
        }
    }

    /// Adds an epoch.
    pub(super) fn push(&mut self, outcome: &EpochOutcome) {
        self.values.iter_mut().for_each(|values| values.push(f64::NAN));
        for (class, dice) in outcome.classes.iter().zip(&outcome.dice) {
            if let Some(last) = self.values.get_mut(class - 1).and_then(|values| values.last_mut()) {
                *last = *dice;
            }
        }
    }

    /// Names and curves.
    pub(super) fn curves(&self) -> Vec<(&str, &[f64])> {
        self.names.iter().zip(&self.values).map(|(name, values)| (name.as_str(), values.as_slice())).collect()
    }

    /// The newest values with their names: those of the labels that occurred.
    pub(super) fn last(&self) -> Vec<(&str, f64)> {
        let last = self.curves().into_iter().filter_map(|(name, values)| Some((name, *values.last()?)));
        last.filter(|(_, value)| value.is_finite()).collect()
    }

    /// The newest values by label, for programs.
    pub(super) fn last_as_json(&self) -> Value {
        let entry = |(label, values): (usize, &Vec<f64>)| {
            let value = values.last().copied().filter(|value| value.is_finite());
            ((label + 1).to_string(), json!(value))
        };
        Value::Object(self.values.iter().enumerate().map(entry).collect::<Map<_, _>>())
    }
}

/// The logs of a folder in the order in which they were written.
fn logs(output: &Path) -> Vec<PathBuf> {
    let names = file_names(output, ".jsonl").unwrap_or_default();
    let mut logs: Vec<PathBuf> = names.iter().map(|name| output.join(name)).collect();
    logs.sort_by_key(|log| log.metadata().and_then(|file| file.modified()).ok());
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_that_continues_has_the_values_of_its_logs() {
        let folder = tempfile::tempdir().unwrap();
        let lines = "{\"event\":\"message\"}\n\
                     {\"event\":\"epoch\",\"epoch\":0,\"dice_by_label\":{\"1\":0.25,\"2\":null}}\n\
                     {\"event\":\"epoch\",\"epoch\":1,\"dice_by_label\":{\"1\":0.5,\"2\":0.75}}\n";
        std::fs::write(folder.path().join("training_log_1.jsonl"), lines).unwrap();
        std::fs::write(folder.path().join("dataset.json"), r#"{"labels": {"1": "liver"}}"#).unwrap();
        // The second epoch was not saved: it will be trained again.
        let names = LabelNames::near(&[folder.path()]);
        let dice = LabelDice::of(2, None, &names, folder.path(), 1);
        let [(first, one), (second, two)] = dice.curves()[..] else { panic!("two labels") };
        assert_eq!((first, one), ("1 (liver)", &[0.25][..]));
        assert!(second == "2" && two[0].is_nan());
        assert_eq!(dice.last(), [("1 (liver)", 0.25)]);
        assert_eq!(dice.last_as_json(), json!({ "1": 0.25, "2": null }));
    }
}
