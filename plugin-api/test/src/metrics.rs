//! Checks of metrics.

use nnunet_plugin_core::{Config, Make};
use nnunet_plugin_torch::tch::{Device, Kind as Element, Tensor, no_grad};
use nnunet_plugin_torch::{Metric, MetricInput, Tally};

use crate::findings::{Report, text};
use crate::random::seeded;

const CLASSES: i64 = 3;

pub(crate) fn metric(make: &Make<dyn Metric>, report: &mut Report<'_>) {
    let Some(metric) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let _turn = seeded();
    for space in [&[6, 8, 8][..], &[8, 8]] {
        let what = format!("measures a batch of {} axes", space.len());
        let Some(first) = report.made(&what, no_grad(|| tally(&*metric, space))) else { continue };
        let numbers = first.iter().find(|tally| !(tally.sum.is_finite() && tally.count.is_finite()));
        report.note("has finite sums and counts", numbers.map_or(Ok(()), |tally| Err(format!("{tally:?}"))));
        let values = metric.value(&first).and_then(|first| Ok((first, metric.value(&[])?)));
        report.note("has a value of an epoch, also of one without batches", values.map(drop).map_err(text));
    }
}

fn tally(metric: &dyn Metric, space: &[i64]) -> nnunet_plugin_core::Result<Vec<Tally>> {
    let of = |channels: i64| [&[2, channels], space].concat();
    let logits = Tensor::randn(of(CLASSES), (Element::Float, Device::Cpu));
    let target = Tensor::randint(CLASSES, of(1), (Element::Int64, Device::Cpu));
    let data = Tensor::randn(of(2), (Element::Float, Device::Cpu));
    let cases = ["case_000", "case_001"].map(str::to_owned);
    metric.tally(&MetricInput {
        logits: &logits,
        target: &target,
        data: &data,
        cases: &cases,
        regions: false,
        ignore_label: None,
    })
}
