//! The history of a training as v2's logger keeps it in checkpoints (`logging`): lists with one value of each epoch.

use nnunet_formats::pickle::Value;
use nnunet_plugin_api::vocabulary::Blueprint;
use nnunet_training::{EpochRecord, History};

/// Weight of the past in v2's moving average of the pseudo Dice.
const EMA: f64 = 0.9;

/// v2's lists.
pub(super) fn to_pickle(history: &History) -> Value {
    let of = |value: fn(&EpochRecord) -> f64| floats(history.epochs.iter().map(value));
    let dice = history.epochs.iter().map(|epoch| floats(epoch.dice.iter().copied()));
    Value::dict(vec![
        ("mean_fg_dice", floats(history.metrics.iter().copied())),
        ("ema_fg_dice", floats(averages(&history.metrics).into_iter())),
        ("dice_per_class_or_region", Value::List(dice.collect())),
        ("train_losses", floats(history.train_losses.iter().copied())),
        ("val_losses", floats(history.validation_losses.iter().copied())),
        ("lrs", of(|epoch| epoch.learning_rate)),
        ("epoch_start_timestamps", of(|epoch| epoch.started)),
        ("epoch_end_timestamps", of(|epoch| epoch.ended)),
    ])
}

fn floats(values: impl Iterator<Item = f64>) -> Value {
    Value::List(values.map(Value::Float).collect())
}

fn averages(values: &[f64]) -> Vec<f64> {
    let mut past = None;
    let next = |value: &f64| {
        let average = past.map_or(*value, |past: f64| EMA * past + (1.0 - EMA) * value);
        past = Some(average);
        average
    };
    values.iter().map(next).collect()
}

/// The history of so many epochs.
pub(super) fn from_pickle(
    logging: Option<&Value>,
    epochs: usize,
    best: Option<f64>,
    blueprint: &Blueprint,
) -> History {
    let list = |key: &str| {
        let mut values = logging.and_then(|all| all.get(key)?.to_f64_vec()).unwrap_or_default();
        values.truncate(epochs);
        values
    };
    let train_losses = list("train_losses");
    let alpha = blueprint.train_loss_ma_alpha;
    let blend =
        |past: Option<f64>, loss: &f64| Some(past.map_or(*loss, |past| alpha * past + (1.0 - alpha) * loss));
    History {
        train_loss_ma: train_losses.iter().fold(None, blend),
        train_losses,
        validation_losses: list("val_losses"),
        metrics: list("mean_fg_dice"),
        metric_ma: list("ema_fg_dice").last().copied(),
        best_metric_ma: best,
        epochs: records(logging, epochs, &list),
        ..History::default()
    }
}

fn records(logging: Option<&Value>, epochs: usize, list: &dyn Fn(&str) -> Vec<f64>) -> Vec<EpochRecord> {
    let dice = logging.and_then(|all| all.get("dice_per_class_or_region")?.items()).unwrap_or_default();
    let (rates, starts, ends) = (list("lrs"), list("epoch_start_timestamps"), list("epoch_end_timestamps"));
    let at = |values: &[f64], epoch: usize| values.get(epoch).copied().unwrap_or(f64::NAN);
    let record = |epoch: usize| EpochRecord {
        learning_rate: at(&rates, epoch),
        started: at(&starts, epoch),
        ended: at(&ends, epoch),
        dice: dice.get(epoch).and_then(Value::to_f64_vec).unwrap_or_default(),
    };
    (0..epochs).map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_comes_back() {
        let record = |epoch: f64| EpochRecord {
            learning_rate: 0.01 - epoch / 1000.0,
            started: epoch,
            ended: epoch + 1.0,
            dice: vec![0.5, epoch],
        };
        let mut history = History::default();
        let alphas = (Blueprint::default().train_loss_ma_alpha, EMA);
        for epoch in [0.0, 1.0, 2.0] {
            history.push(1.0 - epoch, 2.0, epoch / 4.0, alphas.0, alphas.1);
            history.epochs.push(record(epoch));
        }
        let kept = to_pickle(&history);
        let found = from_pickle(Some(&kept), 3, history.best_metric_ma, &Blueprint::default());
        // Early stopping is v1's alone.
        history.best_train_loss_ma = None;
        assert_eq!(found, history);
        assert_eq!(from_pickle(Some(&kept), 2, None, &Blueprint::default()).metrics, [0.0, 0.25]);
    }
}
