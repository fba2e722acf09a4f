//! Structured data crosses as JSON. Both sides may know other fields: what one of them does not know stays as it was.

use abi_stable::std_types::RString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Config, Error, Result};

/// Text of a value. NaN has no JSON form: types that may hold it read `null` back as NaN, or cross as plain fields.
pub fn encode<T: Serialize>(value: &T) -> Result<RString> {
    serde_json::to_string(value).map(RString::from).map_err(failed)
}

/// Value of a text.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(failed)
}

/// A value of settings. Keys and values that only the other side knows are left at their defaults.
pub fn decode_settings<T: DeserializeOwned + Serialize + Default>(text: &str) -> Result<T> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let written: Config = decode(text)?;
    let mut known = object(&T::default())?;
    for (key, value) in written {
        let Some(default) = known.get_mut(&key).map(|slot| std::mem::replace(slot, value)) else { continue };
        if T::deserialize(Value::Object(known.clone())).is_err() {
            known.insert(key, default);
        }
    }
    T::deserialize(Value::Object(known)).map_err(failed)
}

/// What a hook made of a value, as the plugin saw it before and after.
#[derive(Serialize, Deserialize)]
struct Change {
    before: Value,
    after: Value,
}

/// In the plugin: the change from one value to another.
pub fn encode_change<T: Serialize>(before: &T, after: &T) -> Result<RString> {
    let value = |value: &T| serde_json::to_value(value).map_err(failed);
    encode(&Change { before: value(before)?, after: value(after)? })
}

/// In the host: makes a plugin's change to its own value.
pub fn apply_change<T: Serialize + DeserializeOwned>(value: &mut T, change: &str) -> Result<()> {
    let change: Change = decode(change)?;
    if change.before == change.after {
        return Ok(());
    }
    let mut own = serde_json::to_value(&*value).map_err(failed)?;
    merge(&mut own, &change.before, change.after);
    *value = serde_json::from_value(own).map_err(failed)?;
    Ok(())
}

/// Brings what differs between `before` and `after` into `own`, as deep as the three agree in form.
fn merge(own: &mut Value, before: &Value, after: Value) {
    match (own, before, after) {
        (_, before, after) if *before == after => {}
        (Value::Object(own), Value::Object(before), Value::Object(after)) => {
            own.retain(|key, _| !before.contains_key(key) || after.contains_key(key));
            for (key, after) in after {
                let before = before.get(&key).unwrap_or(&Value::Null);
                merge(own.entry(key).or_insert(Value::Null), before, after);
            }
        }
        (Value::Array(own), Value::Array(before), Value::Array(after))
            if own.len() == before.len() && own.len() == after.len() =>
        {
            own.iter_mut()
                .zip(before)
                .zip(after)
                .for_each(|((own, before), after)| merge(own, before, after));
        }
        (own, _, after) => *own = after,
    }
}

fn object<T: Serialize>(value: &T) -> Result<Config> {
    match serde_json::to_value(value).map_err(failed)? {
        Value::Object(map) => Ok(map),
        _ => Err(Error::message("settings that are no table")),
    }
}

fn failed(error: serde_json::Error) -> Error {
    Error::message(format!("data across the plugin boundary: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PlannerSettings;
    use crate::vocabulary::{Plans, Stage};

    #[test]
    fn a_setting_that_only_the_host_knows_survives_an_older_plugin() {
        let newer = r#"{ "min_batch_size": 4, "topology": "of_next_year", "invented_later": 1 }"#;
        let seen: PlannerSettings = decode_settings(newer).unwrap();
        assert_eq!((seen.min_batch_size, seen.topology), (4, PlannerSettings::default().topology));
        let changed = PlannerSettings { max_num_features: 7, ..seen.clone() };
        let mut own: Config = decode(newer).unwrap();
        apply_change(&mut own, &encode_change(&seen, &changed).unwrap()).unwrap();
        assert_eq!(own["invented_later"], 1);
        assert_eq!(own["topology"], "of_next_year");
        assert_eq!(own["max_num_features"], 7);
    }

    #[test]
    fn changes_reach_into_lists_and_leave_what_is_not_a_number() {
        let mut plans =
            Plans { plans_per_stage: vec![Stage::default(), Stage::default()], ..Plans::default() };
        let mut changed = plans.clone();
        changed.plans_per_stage[1].batch_size = 5;
        changed.num_classes = 3;
        let change = encode_change(&plans, &changed).unwrap();
        plans.plans_per_stage[0].batch_size = 9;
        apply_change(&mut plans, &change).unwrap();
        assert_eq!(plans.plans_per_stage.iter().map(|s| s.batch_size).collect::<Vec<_>>(), [9, 5]);
        assert_eq!(plans.num_classes, 3);
    }
}
