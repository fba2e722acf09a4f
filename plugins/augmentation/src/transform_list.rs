//! Lists of transforms, as they are written.

use nnunet_plugin_core::{
    Component, Config, Error, Info, Kind, Registration, Result, inventory, overlay, parse_config,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::registered::Registered;
use crate::transform::{AsComponent, TAG, Transform};

/// Name of the choice between transforms.
const ONE_OF: &str = "one_of";

/// Parameters of the choice between transforms.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Choices {
    /// The transforms to choose from, as in the list of an augmentation.
    choices: Vec<Config>,
}

inventory::submit!(Registration(|| {
    let info = Info::new(Kind::Transform, ONE_OF, "One of several transforms, with equal probability.");
    Component::transform(info.with_config::<Choices>(), |config| {
        let Choices { choices } = parse_config(config)?;
        let choices = choices.into_iter().map(read).collect::<Result<_>>()?;
        Ok(Box::new(AsComponent(Transform::OneOf { choices })))
    })
}));

/// A list as it is written: tables with the name of a transform, built-in or registered, and its parameters.
///
/// # Errors
/// Returns an error for a transform or parameter that is unknown.
pub(crate) fn read_list(list: Value) -> Result<Vec<Transform>> {
    let tables: Vec<Config> =
        serde_json::from_value(list).map_err(|error| Error::message(error.to_string()))?;
    tables.into_iter().map(read).collect()
}

fn read(mut table: Config) -> Result<Transform> {
    let name = table.remove(TAG).or_else(|| table.remove("name"));
    let Some(name) = name.as_ref().and_then(Value::as_str) else {
        return Err(Error::message(format!("a transform without a name: write {TAG} = \"...\"")));
    };
    let named = |error: Error| error.within(format!("transform `{name}`"));
    if name == ONE_OF {
        let Choices { choices } = parse_config(&table).map_err(named)?;
        return Ok(Transform::OneOf { choices: choices.into_iter().map(read).collect::<Result<_>>()? });
    }
    if let Some(mut transform) = Transform::built_in(name) {
        overlay(&mut transform, &table).map_err(named)?;
        return Ok(transform);
    }
    Ok(Transform::Other(Registered::new(name, table)?))
}

/// All parameters of a list by name. If a transform occurs more than once, the last one counts.
pub(crate) fn parameters(transforms: &[Transform]) -> Config {
    let mut all = Config::new();
    for transform in transforms {
        match transform {
            Transform::OneOf { choices } => all.extend(parameters(choices)),
            leaf => all.extend(leaf.parameters()),
        }
    }
    all
}

/// Sets parameters, in every transform of the list that has a parameter of that name.
///
/// # Errors
/// Returns an error with the nearest name if no transform has such a parameter, or if the value has the wrong type.
pub(crate) fn change(transforms: &mut [Transform], table: &Config) -> Result<()> {
    // A name is unknown only if no transform of the list has it.
    overlay(&mut parameters(transforms), table)?;
    change_known(transforms, table)
}

fn change_known(transforms: &mut [Transform], table: &Config) -> Result<()> {
    for transform in transforms {
        if let Transform::OneOf { choices } = transform {
            change_known(choices, table)?;
            continue;
        }
        let own = transform.parameters();
        let mine: Config = table
            .iter()
            .filter(|(name, _)| own.contains_key(*name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        if mine.is_empty() {
            continue;
        }
        let names = mine.keys().cloned().collect::<Vec<_>>().join(", ");
        overlay(transform, &mine).map_err(|error| error.within(names))?;
    }
    Ok(())
}
