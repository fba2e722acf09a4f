//! MyMetric: a metric of the validation of every epoch, for nnunet.

use nnunet_plugin_api::schemars::{self, JsonSchema};
use nnunet_plugin_api::serde::{Deserialize, Serialize};
use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{
    Component, Info, Kind, Metric, MetricInput, Registration, Result, Tally, export_plugin, inventory, parse_config,
};

export_plugin!();

/// Its parameters: `metrics = [{ name = "MyMetric", class = 2 }]` in a trainer's table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "nnunet_plugin_api::serde", default, deny_unknown_fields)]
struct MyMetric {
    /// The class that is looked for.
    class: i64,
}

impl Default for MyMetric {
    fn default() -> Self {
        Self { class: 1 }
    }
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Metric, "MyMetric", "Share of the samples whose class was found or is missing.");
    Component::metric(info.with_config::<MyMetric>(), |config| Ok(Box::new(parse_config::<MyMetric>(config)?)))
}));

impl Metric for MyMetric {
    /// Sums and counts of a batch; the metric of an epoch is the sum of all sums divided by the sum of all counts.
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        let samples = input.logits.size()[0];
        let there = |labels: Tensor| labels.f_eq(self.class)?.f_reshape([samples, -1])?.f_any_dim(1, false);
        let found = there(input.logits.f_argmax(1, true)?)?;
        let right = found.f_eq_tensor(&there(input.target.shallow_clone())?)?.f_sum(Element::Double)?;
        Ok(vec![Tally::new("samples", f64::try_from(right)?, samples as f64)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_without_the_class_is_right_if_nothing_is_found() {
        let logits = Tensor::from_slice(&[1.0_f32, 0.0, 1.0, 0.0]).reshape([2, 2, 1, 1]);
        let target = Tensor::from_slice(&[0_i64, 1]).reshape([2, 1, 1, 1]);
        let input = MetricInput {
            logits: &logits,
            target: &target,
            data: &logits,
            cases: &[],
            regions: false,
            ignore_label: None,
        };
        let tallies = MyMetric::default().tally(&input).unwrap();
        assert_eq!(MyMetric::default().value(&tallies).unwrap().mean, 0.5);
    }

    /// The checks of `nnunet plugins check`.
    #[test]
    fn the_host_can_rely_on_it() {
        nnunet_plugin_test::check_registered();
    }
}
