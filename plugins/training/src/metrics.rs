//! Metrics of a training: what its components measure in the validation of every epoch.

use nnunet_plugin_api::vocabulary::{Blueprint, ComponentChoice};
use nnunet_plugin_api::{Error, Metric, MetricInput, Metrics, Result, Tally};

use crate::with_ranks;

/// Makes a metric.
type MakeMetric<'a> = &'a dyn Fn(&ComponentChoice) -> Result<Box<dyn Metric>>;

/// The metrics of a training, by the names under which they are logged.
#[derive(Default)]
pub struct MeasuredMetrics(Vec<(String, Box<dyn Metric>)>);

impl std::fmt::Debug for MeasuredMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Sums over the validation batches so far, for each metric.
pub(crate) struct Sums(Vec<Vec<Tally>>);

impl MeasuredMetrics {
    /// The metrics of a blueprint; `make` makes each.
    ///
    /// # Errors
    /// Returns the error of `make`, or one if two have the same name.
    pub fn new(blueprint: &Blueprint, make: MakeMetric<'_>) -> Result<Self> {
        let mut all: Vec<(String, Box<dyn Metric>)> = Vec::new();
        for choice in &blueprint.metrics {
            if all.iter().any(|(name, _)| *name == choice.name) {
                let why =
                    format!("`{}` is there twice; name one of them with a table of its own", choice.name);
                return Err(Error::parameter("metrics", why));
            }
            all.push((choice.name.clone(), make(choice)?));
        }
        Ok(Self(all))
    }

    /// Whether larger values of a metric, or of a part of it, are better.
    pub(crate) fn larger_is_better(&self, name: &str) -> bool {
        let of =
            |own: &str| name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        self.0.iter().find(|(own, _)| of(own)).is_none_or(|(_, metric)| metric.larger_is_better())
    }

    /// No batches yet.
    pub(crate) fn begin(&self) -> Sums {
        Sums(self.0.iter().map(|_| Vec::new()).collect())
    }

    /// Adds a batch.
    pub(crate) fn add(&self, sums: &mut Sums, input: &MetricInput<'_>) -> Result<()> {
        for ((name, metric), sums) in self.0.iter().zip(&mut sums.0) {
            let tallies = metric.tally(input).map_err(|error| error.within(format!("metric {name}")))?;
            for tally in tallies {
                add_to(sums, tally);
            }
        }
        Ok(())
    }

    /// The metrics of the epoch, over the batches of all processes, and their parts.
    pub(crate) fn values(&self, sums: Sums) -> Result<Metrics> {
        let mut all = Metrics::new();
        for ((name, metric), sums) in self.0.iter().zip(sums.0) {
            let mut all_sums = Vec::new();
            with_ranks::all_tallies(sums)?.into_iter().for_each(|tally| add_to(&mut all_sums, tally));
            let value = metric.value(&all_sums).map_err(|error| error.within(format!("metric {name}")))?;
            all.extend(value.parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
            all.insert(name.clone(), value.mean);
        }
        Ok(all)
    }
}

fn add_to(sums: &mut Vec<Tally>, tally: Tally) {
    match sums.iter_mut().find(|sum| sum.name == tally.name) {
        Some(sum) => (sum.sum, sum.count) = (sum.sum + tally.sum, sum.count + tally.count),
        None => sums.push(tally),
    }
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::tch::Tensor;

    use super::*;

    /// The mean of the images.
    struct Mean;

    impl Metric for Mean {
        fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
            let values = Vec::<f32>::try_from(input.data)?;
            Ok(vec![Tally::new("image", f64::from(values.iter().sum::<f32>()), values.len() as f64)])
        }

        fn larger_is_better(&self) -> bool {
            false
        }
    }

    #[test]
    fn batches_are_added_before_they_are_divided() {
        let blueprint = Blueprint { metrics: vec![ComponentChoice::named("Mean")], ..Blueprint::default() };
        let metrics = MeasuredMetrics::new(&blueprint, &|_| Ok(Box::new(Mean))).unwrap();
        let mut sums = metrics.begin();
        for values in [&[1.0_f32, 2.0][..], &[6.0]] {
            let data = Tensor::from_slice(values);
            let input = MetricInput {
                logits: &data,
                target: &data,
                data: &data,
                cases: &[],
                regions: false,
                ignore_label: None,
            };
            metrics.add(&mut sums, &input).unwrap();
        }
        let values = metrics.values(sums).unwrap();
        assert_eq!(values, Metrics::from([("Mean".to_owned(), 3.0), ("Mean.image".to_owned(), 3.0)]));
        assert!(!metrics.larger_is_better("Mean.image") && !metrics.larger_is_better("Mean"));
        assert!(metrics.larger_is_better("Meaning"), "that is another one");
        let twice = Blueprint { metrics: vec![ComponentChoice::named("Mean"); 2], ..blueprint };
        assert!(MeasuredMetrics::new(&twice, &|_| Ok(Box::new(Mean))).is_err());
    }
}
