//! The schedule `plateau` in v1's checkpoints: the state dict of torch's `ReduceLROnPlateau`.

use nnunet_formats::pickle::Value;
use nnunet_plugin_api::{Config, serde_json};
use nnunet_schedules::Plateau;
use serde_json::json;

/// The state dict of a schedule that keeps what torch's keeps; none of another.
pub(crate) fn to_pickle(state: &Config) -> Option<Value> {
    let float = |key: &str| Some(Value::Float(state.get(key)?.as_f64()?));
    let count = |key: &str| Some(Value::Int(state.get(key)?.as_i64()?));
    let rates = float("learning_rate").into_iter().collect();
    Some(Value::dict(vec![
        ("factor", float("factor")?),
        ("min_lrs", Value::List(vec![Value::Int(0)])),
        ("patience", count("patience")?),
        ("verbose", Value::Bool(false)),
        ("cooldown", Value::Int(0)),
        ("cooldown_counter", Value::Int(0)),
        ("mode", Value::str("min")),
        ("threshold", float("threshold")?),
        ("threshold_mode", Value::str("abs")),
        ("best", float("best").unwrap_or(Value::Float(f64::INFINITY))),
        ("num_bad_epochs", count("num_bad_epochs")?),
        ("mode_worse", Value::Float(f64::INFINITY)),
        ("eps", Value::Float(Plateau::EPSILON)),
        ("last_epoch", count("last_epoch")?),
        ("_last_lr", Value::List(rates)),
    ]))
}

/// The state of `plateau` in a checkpoint of Python; the rate itself is the optimizer's.
pub(crate) fn from_checkpoint(root: &Value) -> Option<Config> {
    let state = root.get("lr_scheduler_state_dict")?;
    let number = |key: &str| state.get(key)?.as_f64();
    let count = |key: &str| state.get(key)?.as_i64();
    let groups = root.get("optimizer_state_dict")?.get("param_groups")?.items()?;
    let kept = json!({
        "factor": number("factor")?,
        "patience": count("patience")?,
        "threshold": number("threshold")?,
        "best": number("best").filter(|best| best.is_finite()),
        "num_bad_epochs": count("num_bad_epochs")?,
        "last_epoch": count("last_epoch")?,
        "learning_rate": groups.first()?.get("lr")?.as_f64()?,
    });
    kept.as_object().cloned()
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::vocabulary::LearningRateSchedule;
    use nnunet_plugin_api::{EpochResults, SchedulePoint};

    use super::*;

    #[test]
    fn the_schedule_comes_back() {
        let choice = LearningRateSchedule::Plateau { factor: 0.2, patience: 30, threshold: 1e-3 }.choice();
        let mut plateau = nnunet_schedules::built_in(&choice.unwrap()).unwrap();
        let at = SchedulePoint { initial_lr: 3e-4, ..SchedulePoint::default() };
        for loss in [1.0, 0.5, 0.6] {
            let results = EpochResults { train_loss_average: loss, ..EpochResults::default() };
            plateau.epoch_ends(&at, &results).unwrap();
        }
        let state = plateau.save_state().unwrap();
        let group = Value::dict(vec![("lr", Value::Float(3e-4))]);
        let optimizer = Value::dict(vec![("param_groups", Value::List(vec![group]))]);
        let root = Value::dict(vec![
            ("lr_scheduler_state_dict", to_pickle(&state).unwrap()),
            ("optimizer_state_dict", optimizer),
        ]);
        assert_eq!(from_checkpoint(&root), Some(state));
        assert_eq!(to_pickle(&Config::new()), None);
    }
}
