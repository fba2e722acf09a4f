//! The mean Dice of labels and regions, with their names, as lines and as events.

use nnunet_data::label_names::LabelNames;
use nnunet_data::v2::{Class, class_key};
use serde_json::{Value, json};

/// The mean Dice of a label or region.
#[derive(Debug, Clone)]
pub struct LabelDice {
    class: Class,
    name: Option<String>,
    dice: f64,
}

impl LabelDice {
    /// The Dice of a class, and its name if it has one.
    #[must_use]
    pub fn new(class: &Class, dice: f64, names: &LabelNames) -> Self {
        let name = names.get(&class_key(class)).map(str::to_owned);
        Self { class: class.clone(), name, dice }
    }

    /// For people: `label 1 (liver): mean Dice 0.9610`.
    #[must_use]
    pub fn text(&self) -> String {
        let (kind, key) = match &self.class {
            Class::Label(label) => ("label", label.to_string()),
            Class::Region(labels) => ("region", region_key(labels)),
        };
        let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{kind} {key}{name}: mean Dice {:.4}", self.dice)
    }

    /// For programs: the fields of an event. A region is the list of its labels.
    #[must_use]
    pub fn fields(&self) -> Value {
        let label = match &self.class {
            Class::Label(label) => json!(label),
            Class::Region(labels) => json!(labels),
        };
        json!({ "label": label, "name": self.name, "mean_dice": self.dice })
    }
}

/// What a region without a name is called: `1+2`.
pub fn region_key(labels: &[impl ToString]) -> String {
    labels.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use nnunet_formats::json::parse;

    use super::*;

    #[test]
    fn labels_and_regions_have_their_names() {
        let names = r#"{"labels": {"background": 0, "whole": [1, 2], "core": [2], "edema": 1}}"#;
        let names = LabelNames::of(&parse(names).unwrap());
        let region = LabelDice::new(&Class::Region(vec![1, 2]), 0.5, &names);
        assert_eq!(region.text(), "region 1+2 (whole): mean Dice 0.5000");
        assert_eq!(region.fields(), json!({ "label": [1, 2], "name": "whole", "mean_dice": 0.5 }));
        let label = LabelDice::new(&Class::Label(7), f64::NAN, &names);
        assert_eq!(label.text(), "label 7: mean Dice NaN");
        assert_eq!(label.fields(), json!({ "label": 7, "name": null, "mean_dice": null }));
    }
}
