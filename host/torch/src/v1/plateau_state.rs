//! The plateau schedule in a checkpoint: the state dict of torch's `ReduceLROnPlateau`.

use nnunet_formats::pickle::Value;
use nnunet_training::Plateau;

/// The state dict.
pub(crate) fn to_pickle(plateau: &Plateau) -> Value {
    let count = |n: usize| Value::Int(n as i64);
    Value::dict(vec![
        ("factor", Value::Float(plateau.factor)),
        ("min_lrs", Value::List(vec![Value::Int(0)])),
        ("patience", count(plateau.patience)),
        ("verbose", Value::Bool(false)),
        ("cooldown", Value::Int(0)),
        ("cooldown_counter", Value::Int(0)),
        ("mode", Value::str("min")),
        ("threshold", Value::Float(plateau.threshold)),
        ("threshold_mode", Value::str("abs")),
        ("best", Value::Float(plateau.best)),
        ("num_bad_epochs", count(plateau.bad_epochs)),
        ("mode_worse", Value::Float(f64::INFINITY)),
        ("eps", Value::Float(Plateau::EPSILON)),
        ("last_epoch", count(plateau.epochs)),
        ("_last_lr", Value::List(vec![Value::Float(plateau.learning_rate)])),
    ])
}

/// Where the schedule of a checkpoint has come to; the rate itself is the optimizer's.
pub(crate) fn from_checkpoint(root: &Value) -> Option<Plateau> {
    let state = root.get("lr_scheduler_state_dict")?;
    let number = |key: &str| state.get(key)?.as_f64();
    let count = |key: &str| usize::try_from(state.get(key)?.as_i64()?).ok();
    let groups = root.get("optimizer_state_dict")?.get("param_groups")?.items()?;
    Some(Plateau {
        factor: number("factor")?,
        patience: count("patience")?,
        threshold: number("threshold")?,
        best: number("best")?,
        bad_epochs: count("num_bad_epochs")?,
        epochs: count("last_epoch")?,
        learning_rate: groups.first()?.get("lr")?.as_f64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_comes_back() {
        let mut plateau = Plateau::new(3e-4, 0.2, 30, 1e-3);
        [1.0, 0.5, 0.6].into_iter().for_each(|loss| plateau.step(loss));
        let group = Value::dict(vec![("lr", Value::Float(plateau.learning_rate))]);
        let optimizer = Value::dict(vec![("param_groups", Value::List(vec![group]))]);
        let root = Value::dict(vec![
            ("lr_scheduler_state_dict", to_pickle(&plateau)),
            ("optimizer_state_dict", optimizer),
        ]);
        assert_eq!(from_checkpoint(&root), Some(plateau));
    }
}
