//! The properties of a case as v2 keeps them beside preprocessed arrays and probabilities.

use anyhow::Result;
use nnunet_formats::pickle::{DType, NdArray, Value};
use nnunet_plugin_core::vocabulary::CaseProperties;
use nnunet_preprocessing::v2::{Class, Locations};

use super::Reader;

/// The properties of a case; sizes and boxes are in transposed order there.
///
/// # Errors
/// As [`Reader::keeps`].
pub fn properties_to_pickle(case: &CaseProperties, order: [usize; 3], reader: Reader) -> Result<Value> {
    let size = |size: [usize; 3]| Value::Tuple(size.iter().map(|len| Value::Int(*len as i64)).collect());
    let bbox = order.map(|axis| Value::ints(case.crop_bbox[axis]));
    let spacing = case.original_spacing.iter().map(|value| Value::Float(*value)).collect();
    let own = [
        ("spacing", Value::List(spacing)),
        ("shape_before_cropping", size(order.map(|axis| case.original_size_of_raw_data[axis]))),
        ("bbox_used_for_cropping", Value::List(bbox.into_iter().collect())),
        (
            "shape_after_cropping_and_before_resampling",
            size(order.map(|axis| case.size_after_cropping[axis])),
        ),
    ];
    Ok(Value::dict(reader.keeps(case)?.into_iter().chain(own).collect()))
}

/// Adds sampled positions.
pub(super) fn add_class_locations(properties: &mut Value, classes: &[Locations]) {
    if let Value::Dict(entries) = properties {
        let locations =
            classes.iter().map(|class| (key(&class.class), positions(&class.positions))).collect();
        entries.push((Value::str("class_locations"), Value::Dict(locations)));
    }
}

fn key(class: &Class) -> Value {
    match class {
        Class::Label(label) => Value::Int(*label),
        Class::Region(labels) => Value::Tuple(labels.iter().map(|label| Value::Int(*label)).collect()),
    }
}

fn positions(all: &[[i64; 4]]) -> Value {
    if all.is_empty() {
        return Value::List(Vec::new());
    }
    let data = all.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    Value::Array(NdArray { dtype: DType::I64, shape: vec![all.len(), 4], data, objects: Vec::new() })
}
