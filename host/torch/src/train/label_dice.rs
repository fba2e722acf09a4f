//! The Dice of every label by epoch: for the log, TensorBoard, and the curves of `progress.png`.

use std::path::{Path, PathBuf};

use nnunet_cli::label_dice::region_key;
use nnunet_data::folders::file_names;
use nnunet_data::label_names::LabelNames;
use nnunet_plugin_api::vocabulary::Regions;
use nnunet_training::{Engine, EpochOutcome};
use serde_json::{Map, Value, json};

/// The key of an epoch's values in `training_log_*.jsonl`.
pub(super) const KEY: &str = "dice_by_label";

/// Names of the labels, or regions, and their values in the epochs so far.
pub(super) struct LabelDice {
    /// What programs call them: `1`, or the labels of a region, `1+2`.
    keys: Vec<String>,
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
        let region = |class: usize| regions.and_then(|all| all.regions.get(class - 1));
        let key = |class: usize| {
            region(class).map_or_else(|| class.to_string(), |region| region_key(&region.labels))
        };
        let name = |class: usize| match region(class) {
            Some(region) if known.get(&key(class)).is_none() => region.name.clone(),
            _ => known.shown(&key(class)),
        };
        let mut all = Self {
            keys: (1..=classes).map(key).collect(),
            names: (1..=classes).map(name).collect(),
            values: vec![vec![f64::NAN; epoch]; classes],
        };
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
            for (key, values) in self.keys.iter().zip(&mut self.values) {
                values[epoch] = line[KEY][key].as_f64().unwrap_or(f64::NAN);
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
        let entry = |(key, values): (&String, &Vec<f64>)| {
            let value = values.last().copied().filter(|value| value.is_finite());
            (key.clone(), json!(value))
        };
        Value::Object(self.keys.iter().zip(&self.values).map(entry).collect::<Map<_, _>>())
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
    use nnunet_plugin_api::vocabulary::Region;

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

    #[test]
    fn regions_have_their_names_and_are_known_by_their_labels() {
        let folder = tempfile::tempdir().unwrap();
        let log = "{\"event\":\"epoch\",\"epoch\":0,\"dice_by_label\":{\"1+2\":0.25,\"3\":0.5}}\n";
        std::fs::write(folder.path().join("training_log_1.jsonl"), log).unwrap();
        std::fs::write(folder.path().join("dataset.json"), r#"{"labels": {"whole": [1, 2]}}"#).unwrap();
        let region = |name: &str, labels: &[u8]| Region { name: name.to_owned(), labels: labels.to_vec() };
        let regions = vec![region("a trainer's name", &[1, 2]), region("core", &[3])];
        let regions = Regions { regions, class_order: Vec::new() };
        let names = LabelNames::near(&[folder.path()]);
        let dice = LabelDice::of(2, Some(&regions), &names, folder.path(), 1);
        assert_eq!(dice.last(), [("1+2 (whole)", 0.25), ("core", 0.5)]);
        assert_eq!(dice.last_as_json(), json!({ "1+2": 0.25, "3": 0.5 }));
    }
}
