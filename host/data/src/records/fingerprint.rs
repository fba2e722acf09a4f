//! `dataset_properties.pkl` and `intensityproperties.pkl`.

use anyhow::Result;
use nnunet_formats::pickle::Value;
use nnunet_plugin_core::vocabulary::{Fingerprint, IntensityProperties, IntensityStatistics};

use super::{by_number, f64x3, field, get, int_tuple, numbered, usizex3};

/// v1's `dataset_properties`.
#[must_use]
pub fn fingerprint_to_pickle(fingerprint: &Fingerprint) -> Value {
    let reductions =
        fingerprint.size_reductions.iter().map(|(name, r)| (Value::str(name), Value::f64_scalar(*r)));
    Value::dict(vec![
        ("all_sizes", Value::List(fingerprint.all_sizes.iter().map(|size| int_tuple(*size)).collect())),
        (
            "all_spacings",
            Value::List(fingerprint.all_spacings.iter().map(|s| Value::f64_array(*s)).collect()),
        ),
        (
            "all_classes",
            Value::List(fingerprint.all_classes.iter().map(|class| Value::Int(*class)).collect()),
        ),
        ("modalities", Value::Dict(numbered(fingerprint.modalities.iter().map(Value::str)))),
        (
            "intensityproperties",
            fingerprint.intensity_properties.as_deref().map_or(Value::None, intensities_to_pickle),
        ),
        ("size_reductions", Value::OrderedDict(reductions.collect())),
    ])
}

/// v1's `intensityproperties`.
#[must_use]
pub fn intensities_to_pickle(channels: &[IntensityProperties]) -> Value {
    Value::OrderedDict(numbered(channels.iter().map(|channel| {
        let local = channel
            .local
            .iter()
            .map(|(name, found)| (Value::str(name), Value::OrderedDict(statistics(found))));
        let mut entries = vec![(Value::str("local_props"), Value::OrderedDict(local.collect()))];
        entries.extend(statistics(&channel.global));
        Value::OrderedDict(entries)
    })))
}

fn statistics(found: &IntensityStatistics) -> Vec<(Value, Value)> {
    [
        ("median", Value::f32_scalar(found.median)),
        ("mean", Value::f32_scalar(found.mean)),
        ("sd", Value::f32_scalar(found.sd)),
        ("mn", Value::f32_scalar(found.mn)),
        ("mx", Value::f32_scalar(found.mx)),
        ("percentile_99_5", Value::f64_scalar(found.percentile_99_5)),
        ("percentile_00_5", Value::f64_scalar(found.percentile_00_5)),
    ]
    .into_iter()
    .map(|(key, value)| (Value::str(key), value))
    .collect()
}

/// Back from v1's `dataset_properties`.
///
/// # Errors
/// Returns an error for a key that is missing or of the wrong type.
pub fn fingerprint_from_pickle(value: &Value) -> Result<Fingerprint> {
    let intensities = match get(value, "intensityproperties")? {
        Value::None => None,
        channels => Some(field(value, "intensityproperties", |_| by_number(channels, intensity_properties))?),
    };
    Ok(Fingerprint {
        all_sizes: field(value, "all_sizes", |v| v.items()?.iter().map(usizex3).collect())?,
        all_spacings: field(value, "all_spacings", |v| v.items()?.iter().map(f64x3).collect())?,
        all_classes: field(value, "all_classes", |v| v.items()?.iter().map(Value::as_i64).collect())?,
        modalities: field(value, "modalities", |v| by_number(v, |name| name.as_str().map(str::to_owned)))?,
        intensity_properties: intensities,
        size_reductions: field(value, "size_reductions", |v| {
            v.entries()?.iter().map(|(name, r)| Some((name.as_str()?.to_owned(), r.as_f64()?))).collect()
        })?,
    })
}

fn intensity_properties(value: &Value) -> Option<IntensityProperties> {
    let local = value.get("local_props")?.entries()?;
    Some(IntensityProperties {
        global: statistics_from(value)?,
        local: local
            .iter()
            .map(|(name, v)| Some((name.as_str()?.to_owned(), statistics_from(v)?)))
            .collect::<Option<_>>()?,
    })
}

fn statistics_from(value: &Value) -> Option<IntensityStatistics> {
    let number = |key: &str| value.get(key)?.as_f64();
    Some(IntensityStatistics {
        median: number("median")? as f32,
        mean: number("mean")? as f32,
        sd: number("sd")? as f32,
        mn: number("mn")? as f32,
        mx: number("mx")? as f32,
        percentile_99_5: number("percentile_99_5")?,
        percentile_00_5: number("percentile_00_5")?,
    })
}
