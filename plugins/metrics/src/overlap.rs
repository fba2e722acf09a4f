//! How far prediction and truth overlap, by class.

use nnunet_plugin_api::{
    Component, Info, Kind, Metric, MetricInput, Registration, Result, Tally, inventory, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counts::{Counts, counts};

/// Parameters of all of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Foreground classes, or regions, that count, from 1; none: all of them.
    classes: Option<Vec<usize>>,
}

/// The numerator and denominator of a class.
type Ratio = fn(Counts) -> [f64; 2];

/// A metric of overlap.
struct Overlap {
    settings: Settings,
    ratio: Ratio,
}

impl Metric for Overlap {
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        let chosen = |class: usize| self.settings.classes.as_ref().is_none_or(|all| all.contains(&class));
        let all = (1..).zip(counts(input)?).filter(|(class, _)| chosen(*class));
        Ok(all
            .map(|(class, counts)| {
                let [sum, count] = (self.ratio)(counts);
                Tally::new(class.to_string(), sum, count)
            })
            .collect())
    }
}

fn component(name: &'static str, summary: &'static str, ratio: Ratio) -> Component {
    let info = Info::new(Kind::Metric, name, summary)
        .describe("Counts are added over all validation batches before they are divided; the metric is the mean of the classes that occurred.")
        .with_config::<Settings>();
    Component::metric(info, move |config| Ok(Box::new(Overlap { settings: parse_config(config)?, ratio })))
}

macro_rules! metrics {
    ($($name:literal $summary:literal $ratio:expr;)*) => {
        $(inventory::submit!(Registration(|| component($name, $summary, $ratio)));)*
    };
}

metrics! {
    "Dice" "Dice of prediction and truth, as v1 and v2 log it."
        |c| [2.0 * c.right, 2.0 * c.right + c.wrong + c.missed];
    "IoU" "Intersection over union of prediction and truth (Jaccard index)."
        |c| [c.right, c.right + c.wrong + c.missed];
    "Sensitivity" "Part of the true voxels that is found (recall)."
        |c| [c.right, c.right + c.missed];
    "Precision" "Part of the found voxels that is true (positive predictive value)."
        |c| [c.right, c.right + c.wrong];
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::Tensor;
    use nnunet_plugin_api::{Config, MetricValue, TensorFactories};

    use super::*;

    fn value(name: &str, config: &Config, input: &MetricInput<'_>) -> MetricValue {
        let mut all = inventory::iter::<Registration>().map(|registration| (registration.0)());
        let component = all.find(|c| c.info.kind == Kind::Metric && c.info.name == name).unwrap();
        let metric = component.factory.metric().unwrap()(config).unwrap();
        metric.value(&metric.tally(input).unwrap()).unwrap()
    }

    /// Class 1: one voxel right, one missed, one wrong; class 2 does not occur; the last voxel is ignored.
    #[test]
    fn classes_are_counted_and_averaged() {
        let logits = [[0.0_f32, 9.0, 0.0, 9.0, 9.0], [1.0, 1.0, 1.0, 0.0, 0.0], [0.0; 5]].concat();
        let logits = Tensor::from_slice(&logits).reshape([1, 3, 5]);
        let target = Tensor::from_slice(&[1_i64, 1, 0, 0, 3]).reshape([1, 1, 5]);
        let input = MetricInput {
            logits: &logits,
            target: &target,
            data: &logits,
            cases: &[],
            regions: false,
            ignore_label: Some(3),
        };
        for (name, wanted) in [("Dice", 0.5), ("IoU", 1.0 / 3.0), ("Sensitivity", 0.5), ("Precision", 0.5)] {
            let found = value(name, &Config::new(), &input);
            assert!((found.mean - wanted).abs() < 1e-12, "{name}: {found:?}");
            assert!(found.parts["2"].is_nan() && found.parts["1"] == found.mean, "{name}: {found:?}");
        }
        let only = [("classes".to_owned(), vec![2].into())].into_iter().collect();
        assert!(value("Dice", &only, &input).mean.is_nan());
    }

    #[test]
    fn regions_are_counted_by_output() {
        let logits = Tensor::from_slice(&[1.0_f32, 1.0, -1.0, -1.0, 1.0, -1.0]).reshape([1, 2, 3]);
        let target = Tensor::from_slice(&[1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0]).reshape([1, 2, 3]);
        let input = MetricInput {
            logits: &logits,
            target: &target,
            data: &logits,
            cases: &[],
            regions: true,
            ignore_label: None,
        };
        let found = value("Dice", &Config::new(), &input);
        assert_eq!((found.parts["1"], found.parts["2"]), (2.0 / 3.0, 1.0));
    }
}
