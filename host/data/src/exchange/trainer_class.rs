//! The trainer named in a model's checkpoints, changed for another one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nnunet_formats::pickle::{self, Value};

use crate::{folders, records};

/// Names `trainer` in all checkpoints of a model; returns the changed files. The arguments v1 will give to the trainer's
/// constructor are made to fit: data-parallel trainers take more of them.
///
/// # Errors
/// Returns an error for a folder without checkpoints, or a checkpoint whose arguments are not v1's.
pub fn change_trainer(model: &Path, trainer: &str) -> Result<Vec<PathBuf>> {
    let mut changed = Vec::new();
    for fold in folds(model)? {
        for name in folders::file_names(&fold, ".model.pkl")? {
            let path = fold.join(name);
            let value = changed_value(pickle::load(&path)?, trainer);
            records::save(&path, &value.with_context(|| path.display().to_string())?)?;
            changed.push(path);
        }
    }
    ensure!(
        !changed.is_empty(),
        "{} has no checkpoints in fold_* or all; name a model's folder (CONFIGURATION/TASK/TRAINER__PLANS)",
        model.display()
    );
    Ok(changed)
}

fn folds(model: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(model).with_context(|| model.display().to_string())?;
    let is_fold = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        path.is_dir() && name.is_some_and(|name| name.starts_with("fold_") || name == "all")
    };
    let mut folds: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_fold).collect();
    folds.sort();
    Ok(folds)
}

fn changed_value(value: Value, trainer: &str) -> Result<Value> {
    let (Value::OrderedDict(mut entries) | Value::Dict(mut entries)) = value else {
        bail!("not a dictionary; is this a checkpoint's pkl?")
    };
    for (key, value) in &mut entries {
        match key.as_str() {
            Some("name") => *value = Value::str(trainer),
            Some("class") => {
                *value =
                    Value::Str(format!("<class 'nnunet.training.network_training.{trainer}.{trainer}'>"));
            }
            Some("init") => *value = Value::Tuple(arguments(value, trainer)?),
            Some("nnunet") => name_own(value, trainer),
            _ => {}
        }
    }
    Ok(Value::OrderedDict(entries))
}

/// Names the trainer among this program's own values.
fn name_own(own: &mut Value, trainer: &str) {
    if let Value::Dict(entries) | Value::OrderedDict(entries) = own {
        let named = entries.iter_mut().filter(|(key, _)| key.as_str() == Some("trainer"));
        named.for_each(|(_, value)| *value = Value::str(trainer));
    }
}

/// v1's constructor arguments for a trainer. Plain trainers take (plans, fold, output, data, batch_dice, stage, unpack,
/// deterministic, [previous trainer,] fp16); `_DP` adds (num_gpus, distribute_batch_size) before fp16, `_DDP` adds
/// local_rank after fold and distribute_batch_size before fp16.
fn arguments(init: &Value, trainer: &str) -> Result<Vec<Value>> {
    let mut arguments = init.items().context("`init` is not a list of arguments")?.to_vec();
    match arguments.len() {
        9 | 10 => {}
        11 if arguments[2].as_i64().is_some() => {
            arguments.remove(9);
            arguments.remove(2);
        }
        11 => {
            arguments.drain(8..10);
        }
        count => bail!("`init` has {count} arguments; v1's trainers take 9, 10 or 11"),
    }
    let last = arguments.len() - 1;
    let whole_batch = Value::Bool(false);
    if trainer.ends_with("_DDP") {
        arguments.insert(last, whole_batch);
        arguments.insert(2, Value::Int(0));
    } else if trainer.ends_with("_DP") {
        arguments.splice(last..last, [Value::Int(1), whole_batch]);
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(words: &str) -> Value {
        let value = |word: &str| word.parse().map_or_else(|_| Value::str(word), Value::Int);
        Value::Tuple(words.split(' ').map(value).collect())
    }

    fn words(arguments: &[Value]) -> String {
        let word = |value: &Value| match value {
            Value::Str(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            value => value.as_i64().map_or_else(|| "?".to_owned(), |n| n.to_string()),
        };
        arguments.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn arguments_of_data_parallel_trainers_become_those_of_plain_ones() {
        let plain = "plans 0 out data dice 1 unpack det fp16";
        let dp = "plans 0 out data dice 1 unpack det 2 dbs fp16";
        let ddp = "plans 0 3 out data dice 1 unpack det dbs fp16";
        for from in [plain, dp, ddp] {
            assert_eq!(words(&arguments(&init(from), "nnUNetTrainerV2").unwrap()), plain);
        }
        assert_eq!(
            words(&arguments(&init(plain), "nnUNetTrainerV2_DDP").unwrap()),
            "plans 0 0 out data dice 1 unpack det false fp16"
        );
        assert_eq!(
            words(&arguments(&init(ddp), "nnUNetTrainerV2_DP").unwrap()),
            "plans 0 out data dice 1 unpack det 1 false fp16"
        );
        assert!(arguments(&init("a b"), "nnUNetTrainerV2").is_err());
    }
}
