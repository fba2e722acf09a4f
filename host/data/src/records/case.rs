//! The `.pkl` beside a cropped or preprocessed case.

use anyhow::Result;
use nnunet_formats::pickle::{DType, NdArray, Value};
use nnunet_plugin_core::vocabulary::{CaseProperties, ClassLocations, ItkGeometry, Regions};

use super::plans::bools;
use super::{by_number, f64x3, field, float_tuple, int_tuple, optional, usizex3};

/// v1's case properties, in v1's order.
#[must_use]
pub fn case_to_pickle(case: &CaseProperties) -> Value {
    let bbox = case.crop_bbox.iter().map(|range| Value::ints(*range)).collect();
    let mut entries = vec![
        ("original_size_of_raw_data", Value::i64_array(case.original_size_of_raw_data.map(|n| n as i64))),
        ("original_spacing", Value::f64_array(case.original_spacing)),
        ("list_of_data_files", Value::List(case.list_of_data_files.iter().map(Value::str).collect())),
        ("seg_file", case.seg_file.as_ref().map_or(Value::None, Value::str)),
        ("itk_origin", float_tuple(&case.itk.origin)),
        ("itk_spacing", float_tuple(&case.itk.spacing)),
        ("itk_direction", float_tuple(&case.itk.direction)),
        ("crop_bbox", Value::List(bbox)),
        ("classes", Value::f32_array(case.classes.iter().copied())),
        ("size_after_cropping", int_tuple(case.size_after_cropping)),
    ];
    if let Some(masks) = &case.use_nonzero_mask_for_norm {
        entries.push(("use_nonzero_mask_for_norm", bools(masks)));
    }
    if let Some(size) = case.size_after_resampling {
        entries.push(("size_after_resampling", int_tuple(size)));
    }
    if let Some(spacing) = case.spacing_after_resampling {
        entries.push(("spacing_after_resampling", Value::f64_array(spacing)));
    }
    if let Some(classes) = &case.class_locations {
        entries.push(("class_locations", Value::Dict(classes.iter().map(locations_to_pickle).collect())));
    }
    Value::OrderedDict(entries.into_iter().map(|(key, value)| (Value::str(key), value)).collect())
}

/// The properties beside probabilities. Those of regions say which labels their outputs stand for, as v1's do.
#[must_use]
pub fn case_of_probabilities_to_pickle(case: &CaseProperties, regions: Option<&Regions>) -> Value {
    let mut value = case_to_pickle(case);
    if let (Value::OrderedDict(entries), Some(regions)) = (&mut value, regions) {
        let order = Value::ints(regions.class_order.iter().map(|label| usize::from(*label)));
        entries.push((Value::str("regions_class_order"), order));
    }
    value
}

fn locations_to_pickle(class: &ClassLocations) -> (Value, Value) {
    let positions = if class.locations.is_empty() {
        Value::List(Vec::new())
    } else {
        let data = class.locations.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
        Value::Array(NdArray {
            dtype: DType::I64,
            shape: vec![class.locations.len(), 3],
            data,
            objects: Vec::new(),
        })
    };
    (Value::Int(class.class), positions)
}

/// Back from v1's case properties.
///
/// # Errors
/// Returns an error if a key is missing or of the wrong kind. Only keys that v1 does not always write may be missing or
/// `None`.
pub fn case_from_pickle(value: &Value) -> Result<CaseProperties> {
    Ok(CaseProperties {
        original_size_of_raw_data: field(value, "original_size_of_raw_data", usizex3)?,
        original_spacing: field(value, "original_spacing", f64x3)?,
        list_of_data_files: field(value, "list_of_data_files", Value::to_strings)?,
        seg_file: optional(value, "seg_file", |v| v.as_str().map(str::to_owned))?,
        itk: ItkGeometry {
            origin: field(value, "itk_origin", f64x3)?,
            spacing: field(value, "itk_spacing", f64x3)?,
            direction: field(value, "itk_direction", |v| v.to_f64_vec()?.as_slice().try_into().ok())?,
        },
        crop_bbox: field(value, "crop_bbox", |v| {
            let ranges: Vec<[usize; 2]> = v
                .items()?
                .iter()
                .map(|range| range.to_usize_vec()?.as_slice().try_into().ok())
                .collect::<Option<_>>()?;
            ranges.as_slice().try_into().ok()
        })?,
        classes: field(value, "classes", |v| {
            Some(v.to_f64_vec()?.into_iter().map(|label| label as f32).collect())
        })?,
        size_after_cropping: field(value, "size_after_cropping", usizex3)?,
        use_nonzero_mask_for_norm: optional(value, "use_nonzero_mask_for_norm", |v| {
            by_number(v, Value::as_bool)
        })?,
        size_after_resampling: optional(value, "size_after_resampling", usizex3)?,
        spacing_after_resampling: optional(value, "spacing_after_resampling", f64x3)?,
        class_locations: optional(value, "class_locations", locations_from_pickle)?,
    })
}

fn locations_from_pickle(value: &Value) -> Option<Vec<ClassLocations>> {
    let entries = value.entries()?.iter();
    entries
        .map(|(class, positions)| {
            let flat: Vec<i64> = positions.to_f64_vec()?.into_iter().map(|value| value as i64).collect();
            let (locations, rest) = flat.as_chunks::<3>();
            let locations = locations.to_vec();
            rest.is_empty().then_some(())?;
            Some(ClassLocations { class: class.as_i64()?, locations })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_optional_keys_are_errors() {
        let case =
            CaseProperties { use_nonzero_mask_for_norm: Some(vec![true]), ..CaseProperties::default() };
        let Value::OrderedDict(entries) = case_to_pickle(&case) else { panic!("not a dictionary") };
        let with = |key: &str, value: Value| {
            let mut entries = entries.clone();
            entries.retain(|(name, _)| name.as_str() != Some(key));
            entries.push((Value::str(key), value));
            case_from_pickle(&Value::OrderedDict(entries))
        };
        for key in ["use_nonzero_mask_for_norm", "class_locations", "size_after_resampling"] {
            assert!(with(key, Value::None).is_ok(), "{key}");
            let error = with(key, Value::str("damaged")).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
        let locations = Value::Dict(vec![(Value::Int(1), Value::i64_array([1, 2]))]);
        assert!(with("class_locations", locations).is_err(), "positions have three coordinates");
    }
}
