//! The `arch_kwargs` of v2's plans: the arguments of the Python classes, some of them names of Python classes.

use nnunet_plugin_api::serde_json::{self, Value};
use nnunet_plugin_api::{Config, Error, Result};

use super::blocks::SLOPE;
use super::config::V2UnetConfig;
use crate::norm::Norm;
use crate::replaced::Replace;

/// Epsilon of the norms, in all of v2's plans.
const EPSILON: f64 = 1e-5;
/// Arguments that are read, or that change nothing in prediction.
const KNOWN: [&str; 18] = [
    "n_stages",
    "features_per_stage",
    "conv_op",
    "kernel_sizes",
    "strides",
    "n_conv_per_stage",
    "n_blocks_per_stage",
    "n_conv_per_stage_decoder",
    "conv_bias",
    "norm_op",
    "norm_op_kwargs",
    "dropout_op",
    "dropout_op_kwargs",
    "nonlin",
    "nonlin_kwargs",
    "deep_supervision",
    "stochastic_depth_p",
    // Not v2's: the registered blocks of a project.
    "replace",
];

/// Whether parameters are v2's arguments.
pub(super) fn is_v2s(kwargs: &Config) -> bool {
    kwargs.contains_key("n_stages") || kwargs.contains_key("conv_op")
}

/// Reads v2's arguments.
///
/// # Errors
/// Returns an error that names the first argument that is missing, or whose effect is not known here.
pub(super) fn read(kwargs: &Config) -> Result<V2UnetConfig> {
    check(kwargs)?;
    let stages = whole(required(kwargs, "n_stages")?).ok_or_else(|| wrong(kwargs, "n_stages"))?;
    if !(2..=MOST_STAGES).contains(&stages) {
        return Err(wrong(kwargs, "n_stages"));
    }
    let axes = if class(kwargs, "conv_op").1 == Some('2') { 2 } else { 3 };
    let blocks =
        if kwargs.contains_key("n_blocks_per_stage") { "n_blocks_per_stage" } else { "n_conv_per_stage" };
    Ok(V2UnetConfig {
        features_per_stage: counts(kwargs, "features_per_stage", stages)?,
        kernel_sizes: vectors(kwargs, "kernel_sizes", stages, axes)?,
        strides: vectors(kwargs, "strides", stages, axes)?,
        n_conv_per_stage: counts(kwargs, blocks, stages)?,
        n_conv_per_stage_decoder: counts(kwargs, "n_conv_per_stage_decoder", stages - 1)?,
        conv_bias: kwargs.get("conv_bias").and_then(Value::as_bool).unwrap_or(false),
        norm: norm(kwargs)?,
        replace: replace(kwargs)?,
    })
}

fn replace(kwargs: &Config) -> Result<Replace> {
    let Some(value) = kwargs.get("replace") else { return Ok(Replace::default()) };
    serde_json::from_value(value.clone()).map_err(|error| Error::parameter("replace", error.to_string()))
}

/// More halvings than any image has voxels for.
const MOST_STAGES: usize = 32;

fn required<'a>(kwargs: &'a Config, key: &str) -> Result<&'a Value> {
    kwargs.get(key).ok_or_else(|| Error::message(format!("the network's argument {key} is missing")))
}

fn wrong(kwargs: &Config, key: &str) -> Error {
    let value = kwargs.get(key).unwrap_or(&Value::Null);
    Error::message(format!("the network's argument {key} = {value} is not what v2 writes there"))
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|value| usize::try_from(value).ok())
}

/// A whole number for every stage, or one for all.
fn counts(kwargs: &Config, key: &str, stages: usize) -> Result<Vec<usize>> {
    let value = required(kwargs, key)?;
    if let Some(one) = whole(value) {
        return Ok(vec![one; stages]);
    }
    let all = value.as_array().and_then(|items| items.iter().map(whole).collect::<Option<Vec<_>>>());
    all.ok_or_else(|| wrong(kwargs, key))
}

/// A vector for every stage, or one for all; a number stands for a vector of it.
fn vectors(kwargs: &Config, key: &str, stages: usize, axes: usize) -> Result<Vec<Vec<usize>>> {
    let vector = |value: &Value| match value.as_array() {
        Some(items) => items.iter().map(whole).collect::<Option<Vec<_>>>(),
        None => whole(value).map(|one| vec![one; axes]),
    };
    let value = required(kwargs, key)?;
    let all = match value.as_array() {
        Some(items) => items.iter().map(vector).collect::<Option<Vec<_>>>(),
        None => vector(value).map(|one| vec![one; stages]),
    };
    all.ok_or_else(|| wrong(kwargs, key))
}

/// The class that an argument names, without its package, and the number of axes at its end.
fn class<'a>(kwargs: &'a Config, key: &str) -> (&'a str, Option<char>) {
    let name = kwargs.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    match name.strip_suffix("2d").map(|name| (name, '2')).or(name.strip_suffix("3d").map(|name| (name, '3')))
    {
        Some((name, axes)) => (name, Some(axes)),
        None => (name, None),
    }
}

fn norm(kwargs: &Config) -> Result<Norm> {
    match class(kwargs, "norm_op").0 {
        "InstanceNorm" => Ok(Norm::Instance),
        "BatchNorm" => Ok(Norm::Batch),
        other => Err(Error::message(format!(
            "the network's argument norm_op = {other} is not known here; InstanceNorm and BatchNorm are"
        ))),
    }
}

/// Whether the network is one of ours: an argument that is passed over would change what it computes.
fn check(kwargs: &Config) -> Result<()> {
    let is_off = |value: &Value| value.is_null() || value == &Value::Bool(false);
    let unknown = kwargs.iter().find(|(key, value)| !KNOWN.contains(&key.as_str()) && !is_off(value));
    if let Some((key, value)) = unknown {
        return Err(Error::message(format!("the network's argument {key} = {value} is not known here")));
    }
    let nonlin = class(kwargs, "nonlin").0;
    if nonlin != "LeakyReLU" {
        return Err(Error::message(format!(
            "the network's argument nonlin = {nonlin} is not known here; LeakyReLU is"
        )));
    }
    for (of, key, default) in [
        ("nonlin_kwargs", "negative_slope", Value::from(SLOPE)),
        ("norm_op_kwargs", "eps", Value::from(EPSILON)),
        ("norm_op_kwargs", "affine", Value::Bool(true)),
    ] {
        let value = kwargs.get(of).and_then(|inner| inner.get(key)).unwrap_or(&default);
        if *value != default {
            return Err(Error::message(format!("{of}: {key} = {value} is not known here; {default} is")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nnunet_plugin_api::serde_json::json;

    use super::*;

    fn kwargs(changes: Value) -> Config {
        let mut all = json!({
            "n_stages": 3, "features_per_stage": [8, 16, 32], "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": 3, "strides": [1, 2, [2, 1]], "n_conv_per_stage": 2,
            "n_conv_per_stage_decoder": [1, 1], "conv_bias": true,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": true}, "dropout_op": null,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": true},
        });
        let all = all.as_object_mut().unwrap();
        all.extend(changes.as_object().unwrap().clone());
        all.clone()
    }

    #[test]
    fn numbers_stand_for_lists() {
        let config = read(&kwargs(json!({}))).unwrap();
        assert_eq!(config.kernel_sizes, vec![vec![3, 3]; 3]);
        assert_eq!(config.strides, [vec![1, 1], vec![2, 2], vec![2, 1]]);
        assert_eq!((config.n_conv_per_stage, config.norm), (vec![2; 3], Norm::Instance));
    }

    #[test]
    fn arguments_with_an_unknown_effect_are_refused_by_name() {
        for (changes, part) in [
            (json!({"norm_op": "torch.nn.GroupNorm"}), "norm_op = GroupNorm"),
            (json!({"nonlin": "torch.nn.GELU"}), "nonlin = GELU"),
            (json!({"squeeze_excitation": true}), "squeeze_excitation = true"),
            (json!({"nonlin_kwargs": {"negative_slope": 0.1}}), "negative_slope = 0.1"),
            (json!({"n_stages": 1_000_000_000_000_u64}), "n_stages"),
            (json!({"features_per_stage": "many"}), "features_per_stage"),
        ] {
            let error = read(&kwargs(changes)).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
