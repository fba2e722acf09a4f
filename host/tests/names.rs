//! Mistyped names get the nearest ones and what there is; a project's file is found from the folders below it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use nnunet_tests::World;

const IMAGES: &str = "raw/nnUNet_raw_data/Task900_Phantom/imagesTs";

#[test]
fn mistyped_names_get_the_nearest_ones() {
    let world = World::with_phantoms();
    world.succeed("train 3d_fullres Short 900 0 -p nnUNetPlansSmall --disable_validation_inference");
    let predict = format!("predict -i {IMAGES} -o out -tr Short -p nnUNetPlansSmall");
    for (line, said) in [
        ("train 3d_fulres Short 900 0 -p nnUNetPlansSmall".to_owned(), "did you mean `3d_fullres`?"),
        ("train 3d_fullres Short 900 0 -p nnUNetPlansSmal".to_owned(), "there are nnUNetPlansSmall"),
        ("train 3d_fullres Short Task900_Phantm 0".to_owned(), "did you mean `Task900_Phantom`?"),
        ("train 3d_fullres Short 901 0".to_owned(), "There are Task900_Phantom"),
        (
            format!("{predict} -t 900 -m 3d_fulres"),
            "Task900_Phantom 3d_fullres Short nnUNetPlansSmall (folds 0)",
        ),
        (format!("{predict} -t 900 -f 3"), "There are the folds 0"),
    ] {
        let outcome = world.run(&line);
        assert!(outcome.code == 1 && outcome.text.contains(said), "{line}: {}", outcome.text);
    }
    let list = world.succeed("models list 900");
    assert!(list.contains("Short") && list.contains("folds 0"), "{list}");
    assert!(!world.succeed("models list 901").contains("Short"));
    // Python's forms of flags.
    let text = world.succeed(&format!("{predict} -t900 -fNone -m3d_fullres"));
    assert!(text.contains("folds: 0;"), "{text}");
}

#[test]
fn a_projects_file_is_found_from_below() {
    let world = World::new();
    world.write("nnunet.toml", "[use]\ntrainer = \"Mine\"\n");
    std::fs::create_dir_all(world.path("a/b")).unwrap();
    let output = world.command("config show").current_dir(world.path("a/b")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("use.trainer = \"Mine\""), "{text}");
}
