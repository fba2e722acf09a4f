//! Plugins as strangers build them: one that works, and one that misbehaves on request.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

use nnunet_formats::nifti;
use nnunet_tests::{World, plugin};

fn train(world: &World, file: &str, trainer: &str, fault: &str) -> nnunet_tests::Outcome {
    let line = format!(
        "--plugin {} train 3d_fullres {trainer} Task900_Phantom 0 -p nnUNetPlansSmall --disable_validation_inference",
        plugin(file).display()
    );
    world.run_with(&line, &[("NNUNET_MISBEHAVE", fault)])
}

#[test]
fn a_plugins_trainer_is_used_by_name_and_can_be_extended_in_toml() {
    let world = World::with_phantoms();
    let toml = std::fs::read_to_string(world.path("nnunet.toml")).unwrap();
    let child = "\n[trainers.Mine]\nextends = \"MyTrainer\"\nmax_num_epochs = 2\nnum_batches_per_epoch = 3\nnum_val_batches_per_epoch = 1\nbatch_size = 2\n";
    world.write("nnunet.toml", &(toml + child));
    let outcome = train(&world, "my_trainer", "Mine", "");
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    // The plugin's cosine: 5e-3 at first, half of it in the middle.
    assert!(outcome.text.contains("lr: 0.005") && outcome.text.contains("lr: 0.0025"), "{}", outcome.text);
    let list = world.succeed(&format!("--plugin {} plugins list", plugin("my_trainer").display()));
    assert!(list.contains("MyTrainer") && list.contains("loaded"), "{list}");
}

#[test]
fn a_behaving_plugin_trains_also_with_its_own_architecture() {
    let world = World::with_phantoms();
    for fault in ["", "pointwise"] {
        let outcome = train(&world, "misbehaving", "Misbehaving", fault);
        assert_eq!(outcome.code, 0, "{fault}: {}", outcome.text);
    }
}

#[test]
fn files_that_are_no_plugins_are_refused() {
    let world = World::new();
    world.write("odd.so", "not a library");
    let outcome = world.run("--plugin odd.so plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("plugin odd.so: cannot be loaded"), "{}", outcome.text);
    let outcome = world.run("--plugin none.so plugins list");
    assert!(outcome.text.contains("there is no such file"), "{}", outcome.text);
}

#[test]
fn a_plugin_in_a_folder_everybody_may_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    std::fs::create_dir(world.path("open")).unwrap();
    let copy = world.path("open/libmy_trainer.so");
    std::fs::copy(plugin("my_trainer"), &copy).unwrap();
    std::fs::set_permissions(world.path("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let outcome = world.run("--plugin open/libmy_trainer.so plugins list");
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("writable by everybody"), "{}", outcome.text);
}

/// Found plugins that cannot be used are shown, and the rest works.
#[test]
fn a_broken_plugin_on_the_path_is_listed_as_broken() {
    let world = World::new();
    std::fs::create_dir(world.path("found")).unwrap();
    world.write("found/broken.so", "not a library");
    let folder = world.path("found").display().to_string();
    let outcome = world.run_with("plugins list", &[("NNUNET_PLUGIN_PATH", folder.as_str())]);
    assert_eq!(outcome.code, 0, "{}", outcome.text);
    assert!(outcome.text.contains("broken.so") && outcome.text.contains("broken "), "{}", outcome.text);
    assert!(outcome.text.contains("ExperimentPlanner3D_v21"));
}

/// A postprocessor of a plugin without libtorch: by name, with parameters, from a table of nnunet.toml, and with others.
#[test]
fn a_plugins_postprocessor_is_named_on_the_command_line() {
    let world = World::new();
    std::fs::create_dir(world.path("labels")).unwrap();
    // An organ, a lesion in it, and one outside.
    let line = [0, 1, 1, 2, 0, 2, 2, 0, 3];
    let labels = ndarray::Array3::from_shape_fn((1, 1, 9), |(_, _, x)| line[x]);
    let geometry = nifti::Geometry {
        size: [9, 1, 1],
        spacing: [1.0; 3],
        origin: [0.0; 3],
        direction: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    };
    nifti::write_labels(&world.path("labels/case.nii.gz"), labels.view(), &geometry).unwrap();
    world.write("nnunet.toml", "[postprocessors.Third]\nextends = \"LesionsInOrgan\"\nlesion = 3\n");
    let library = plugin("my_postprocessor").display().to_string();
    let after = |choice: &[&str]| -> Vec<u8> {
        let words = ["--plugin", &library, "apply_postprocessing", "-i", "labels", "-o", "out"];
        let outcome = world.run_words(&[&words[..], choice].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.text);
        nifti::read(&world.path("out/case.nii.gz")).unwrap().data.iter().map(|label| *label as u8).collect()
    };
    assert_eq!(after(&["-pp", "LesionsInOrgan"]), [0, 1, 1, 2, 0, 0, 0, 0, 3]);
    assert_eq!(after(&["-pp", "LesionsInOrgan", "--parameters", "lesion = 3"]), [0, 1, 1, 2, 0, 2, 2, 0, 0]);
    assert_eq!(after(&["-pp", "Third"]), [0, 1, 1, 2, 0, 2, 2, 0, 0]);
    assert_eq!(
        after(&["-pp", "Third", "-pp", "my-postprocessor/LesionsInOrgan"]),
        [0, 1, 1, 2, 0, 0, 0, 0, 0]
    );
    let wrong =
        format!("--plugin {library} apply_postprocessing -i labels -o out -pp Third --parameters organ=3");
    let outcome = world.run(&wrong);
    assert_eq!(outcome.code, 1);
    assert!(outcome.text.contains("organ and lesion are the same label"), "{}", outcome.text);
}
