//! Metrics: they are measured in the validation of every epoch.

use tch::Tensor;

use crate::{Metrics, Result, Tally};

/// Measured in the validation of every epoch, and logged. `metrics` in a trainer's table or on the command line names
/// any number of them; the one that `best_metric` names determines `model_best`.
///
/// ```no_run
/// use nnunet_plugin_api::tch::{Kind as Element, Tensor};
/// use nnunet_plugin_api::{
///     Component, Info, Kind, Metric, MetricInput, Registration, Result, Tally, inventory,
/// };
///
/// /// How much of the foreground is found.
/// struct Found;
///
/// impl Metric for Found {
///     fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>> {
///         let count = |mask: Tensor| -> Result<f64> { Ok(f64::try_from(mask.f_sum(Element::Double)?)?) };
///         let truth = input.target.f_gt(0)?;
///         let found = input.logits.f_argmax(1, true)?.f_gt(0)?.f_logical_and(&truth)?;
///         Ok(vec![Tally::new("foreground", count(found)?, count(truth)?)])
///     }
/// }
///
/// inventory::submit!(Registration(|| {
///     let info = Info::new(Kind::Metric, "Found", "How much of the foreground is found.");
///     Component::metric(info, |_config| Ok(Box::new(Found)))
/// }));
/// ```
///
/// Errors of tch become errors of the component with `?`, so use the functions of tch whose names begin with `f_`: the
/// others panic.
///
/// Source: v1's `run_online_evaluation`, v2's `validation_step` and `on_validation_epoch_end`.
pub trait Metric: Send {
    /// What a validation batch adds: sums and counts, finite, which are added over all batches by name. No gradients are
    /// recorded meanwhile.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn tally(&self, input: &MetricInput<'_>) -> Result<Vec<Tally>>;

    /// The metric of an epoch, from the sums of all batches. The default: of each tally its sum divided by its count, and
    /// the mean of those that are numbers.
    ///
    /// # Errors
    /// Returns an error to end the training.
    fn value(&self, tallies: &[Tally]) -> Result<MetricValue> {
        let parts: Metrics =
            tallies.iter().map(|tally| (tally.name.clone(), tally.sum / tally.count)).collect();
        let there: Vec<f64> = parts.values().copied().filter(|part| !part.is_nan()).collect();
        Ok(MetricValue { mean: there.iter().sum::<f64>() / there.len() as f64, parts })
    }

    /// Whether larger values are better.
    fn larger_is_better(&self) -> bool {
        true
    }
}

/// A validation batch, as a metric sees it.
#[derive(Debug, Clone, Copy)]
pub struct MetricInput<'a> {
    /// Output of the network at full resolution, (batch, classes, space...), before softmax or sigmoid.
    pub logits: &'a Tensor,
    /// Labels, (batch, 1, space...), int64; with regions (batch, regions, space...), float, behind them a mask of the
    /// ignored voxels if there is an ignore label.
    pub target: &'a Tensor,
    /// The images, (batch, channels, space...).
    pub data: &'a Tensor,
    /// Case of each sample.
    pub cases: &'a [String],
    /// Whether the network predicts regions instead of classes.
    pub regions: bool,
    /// Label of voxels that do not count.
    pub ignore_label: Option<i64>,
}

/// A metric of an epoch. What did not occur is NaN.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricValue {
    /// The metric, logged under its component's name.
    pub mean: f64,
    /// Its parts, such as classes, logged as `NAME.PART`.
    pub parts: Metrics,
}
