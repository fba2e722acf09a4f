//! Commands about published models.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_formats::json;
use nnunet_tests::World;

#[test]
fn published_models_are_listed_and_described() {
    let world = World::new();
    let list = world.succeed("print_available_pretrained_models --export list");
    assert!(list.contains("Task029_LiTS") && list.contains("Channels: 0: T2, 1: ADC"), "{list}");
    let exported = json::load(&world.path("list/available_models.json")).unwrap();
    let url = exported.get("Task004_Hippocampus").unwrap().get("url").unwrap().as_str().unwrap();
    assert_eq!(url, "https://zenodo.org/record/4003545/files/Task004_Hippocampus.zip?download=1");
    assert!(world.succeed("print_pretrained_model_info Task135_KiTS2021").contains("5126443"));
    let unknown = world.run("print_pretrained_model_info Task999_X");
    assert!(unknown.text.contains("there is no published model `Task999_X`"), "{}", unknown.text);
}
