//! `report`, and the table of `evaluate_folder --csv`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;

use ndarray::Array3;
use nnunet_formats::nifti;
use nnunet_tests::{World, copy_folder};

/// Predictions of the phantom task; that of the first case is empty.
fn predictions() -> World {
    let world = World::new();
    world.succeed("example-dataset -o raw/nnUNet_raw_data --train 5 --test 0");
    copy_folder(&world.path("raw/nnUNet_raw_data/Task900_Phantom/labelsTr"), &world.path("predictions"));
    let first = world.path("predictions/phantom_000.nii.gz");
    let image = nifti::read(&first).unwrap();
    nifti::write_labels(&first, Array3::zeros(image.data.dim()).view(), &image.geometry).unwrap();
    world
}

const EVALUATE: &str =
    "evaluate_folder -ref raw/nnUNet_raw_data/Task900_Phantom/labelsTr -pred predictions -l 1 2";

#[test]
fn a_report_of_predictions_has_tables_and_overlays() {
    let world = predictions();
    let none = world.run("report predictions");
    assert!(none.text.contains("evaluate_folder"), "{}", none.text);
    world.succeed(EVALUATE);
    let data_set = world.path("raw/nnUNet_raw_data/Task900_Phantom/dataset.json");
    let text = fs::read_to_string(&data_set).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["labels"]["1"] = "<script>organ".into();
    fs::write(&data_set, document.to_string()).unwrap();
    world.succeed("report predictions -o page.html");
    let page = fs::read_to_string(world.path("page.html")).unwrap();
    assert_eq!(page.matches("class=\"overlay\"").count(), 5);
    assert!(page.contains("1 (&lt;script&gt;organ)") && !page.contains("<script>organ"));
    let first = page.find("<table class=\"sortable\">").unwrap();
    let (wrong, right) =
        (page[first..].find("phantom_000").unwrap(), page[first..].find("phantom_001").unwrap());
    assert!(wrong < right, "the wrong case comes first");
    assert!(!page.contains("http"), "the page loads nothing");
}

#[test]
fn the_table_has_names_and_volumes() {
    let world = predictions();
    let output = world.succeed(&format!("{EVALUATE} --csv table.csv"));
    assert!(output.contains("label 1 ("), "{output}");
    let table = fs::read_to_string(world.path("table.csv")).unwrap();
    let mut lines = table.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(lines.clone().count(), 10, "two labels of five cases");
    let column = |name: &str| header.iter().position(|found| *found == name).unwrap();
    let (dice, reference) = (column("Dice"), column("Volume Reference (ml)"));
    let right: Vec<&str> =
        lines.find(|line| line.starts_with("phantom_001,1,")).unwrap().split(',').collect();
    assert_eq!(right[dice], "1");
    let volume = |column: usize| right[column].parse::<f64>().unwrap();
    assert!(volume(reference) > 0.0 && volume(reference) == volume(column("Volume Test (ml)")));
}
