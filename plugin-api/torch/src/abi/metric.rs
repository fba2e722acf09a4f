//! Metrics across the boundary.

use abi_stable::sabi_trait::TD_Opaque;
use nnunet_plugin_core::abi::v1::AbiResult;
use nnunet_plugin_core::abi::v1::adapter::{
    Guarded, Lent, Message, MetricAbi, MetricAbi_TO, MetricObject, Opened, Received,
};
use serde::{Deserialize, Serialize};

use super::check;
use super::hooks::{tallies, tallies_of};
use super::message::{Given, Taken, message};
use crate::{Error, Metric, MetricInput, MetricValue, Result, Tally};

/// A [`MetricInput`] without its tensors.
#[derive(Serialize, Deserialize)]
struct About {
    cases: Vec<String>,
    regions: bool,
    ignore_label: Option<i64>,
}

struct Exported(Guarded<Box<dyn Metric>>);

impl MetricAbi for Exported {
    fn tally(&self, given: Lent<'_>) -> AbiResult<Message> {
        self.0.call(|metric| {
            let mut taken = Taken::lent(&given);
            let About { cases, regions, ignore_label } = taken.value()?;
            let (logits, target, data) = (taken.tensor()?, taken.tensor()?, taken.tensor()?);
            let input = MetricInput {
                logits: &logits,
                target: &target,
                data: &data,
                cases: &cases,
                regions,
                ignore_label,
            };
            tallies_of(&metric.tally(&input)?)
        })
    }

    fn value(&self, given: Lent<'_>) -> AbiResult<Message> {
        self.0.call(|metric| {
            let MetricValue { mean, parts } = metric.value(&tallies(&Taken::lent(&given))?)?;
            let (names, values): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let numbers = std::iter::once(mean).chain(values).collect();
            Ok(Message { numbers, ..message(Vec::new(), &names)? })
        })
    }

    fn larger_is_better(&self) -> AbiResult<bool> {
        self.0.call(|metric| Ok(metric.larger_is_better()))
    }
}

pub(crate) fn export(metric: Box<dyn Metric>) -> MetricObject {
    MetricAbi_TO::from_value(Exported(Guarded::new(metric)), TD_Opaque)
}

struct Imported {
    object: Received<Opened<MetricObject>>,
    larger_is_better: bool,
}

impl Metric for Imported {
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
        const METHOD: &str = "tally";
        let mut given = Given::new(&About {
            cases: input.cases.to_vec(),
            regions: input.regions,
            ignore_label: input.ignore_label,
        })?;
        let tensors = [input.logits, input.target, input.data];
        let answer = given.lend(tensors, |lent| self.object.call(METHOD, |object| object.tally(lent)))?;
        let found = tallies(&Taken::owned(answer)).and_then(check::tallies);
        found.map_err(|error| self.object.named(METHOD, error))
    }

    fn value(&self, tallies: &[Tally]) -> Result<MetricValue> {
        const METHOD: &str = "value";
        let names: Vec<&str> = tallies.iter().map(|tally| tally.name.as_str()).collect();
        let mut given = Given::new(&names)?;
        given.add_numbers(tallies.iter().flat_map(|tally| [tally.sum, tally.count]));
        let answer = given.lend([], |lent| self.object.call(METHOD, |object| object.value(lent)))?;
        value(&Taken::owned(answer)).map_err(|error| self.object.named(METHOD, error))
    }

    fn larger_is_better(&self) -> bool {
        self.larger_is_better
    }
}

fn value(answer: &Taken) -> Result<MetricValue> {
    let names: Vec<String> = answer.value()?;
    match answer.numbers.split_first() {
        Some((mean, values)) if values.len() == names.len() => {
            Ok(MetricValue { mean: *mean, parts: names.into_iter().zip(values.iter().copied()).collect() })
        }
        _ => Err(Error::message("a metric has a mean and one value for each part")),
    }
}

pub(crate) fn import(object: Opened<MetricObject>, label: String) -> Result<Box<dyn Metric>> {
    let object = Received::new(object, label);
    let larger_is_better = object.call("larger_is_better", |object| object.larger_is_better())?;
    Ok(Box::new(Imported { object, larger_is_better }))
}
