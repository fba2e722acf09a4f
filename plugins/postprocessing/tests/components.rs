//! The largest component against `remove_all_but_the_largest_connected_component` of nnU-Net 1.7.1.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use ndarray::Array3;
use nnunet_formats::json::{self, Json};
use nnunet_formats::npz;
use nnunet_postprocessing::{Classes, keep_largest};
use nnunet_test_support::golden;

fn class(json: &Json) -> u8 {
    json.as_f64().unwrap() as u8
}

fn classes(json: &Json) -> Classes {
    match json.items() {
        Some(items) => Classes::Joint(items.iter().map(class).collect()),
        None => Classes::One(class(json)),
    }
}

/// The key that v1's dictionaries of sizes have for it.
fn key(classes: &Classes) -> String {
    match classes {
        Classes::One(class) => class.to_string(),
        Classes::Joint(classes) => {
            format!("({})", classes.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}

fn labels(path: &std::path::Path, name: &str) -> Array3<u8> {
    let member = npz::load(path, name).unwrap();
    let values = member.to_f32().unwrap().into_iter().map(|value| value as u8).collect();
    let shape: [usize; 3] = member.header.shape.try_into().unwrap();
    Array3::from_shape_vec(shape, values).unwrap()
}

#[test]
fn components_are_those_of_v1() {
    let root = golden("metrics/components");
    let Json::Object(cases) = json::load(&root.join("cases.json")).unwrap() else { panic!("no cases") };
    for (name, case) in cases {
        let path = root.join(format!("{name}.npz"));
        let mut volume = labels(&path, "input");
        let voxel = case.get("volume_per_voxel").unwrap().as_f64().unwrap();
        let which: Vec<Classes> = match case.get("for_which_classes").unwrap().items() {
            Some(items) => items.iter().map(classes).collect(),
            None => (1..=*volume.iter().max().unwrap()).map(Classes::One).collect(),
        };
        for classes in &which {
            let size = |table: &str| case.get(table).and_then(|table| table.get(&key(classes))?.as_f64());
            let kept = keep_largest(&mut volume, classes, voxel, size("minimum_valid_object_size"));
            assert_eq!(kept, size("kept_size"), "{name}, {classes:?}");
        }
        assert_eq!(volume, labels(&path, "expected"), "{name}");
    }
}
